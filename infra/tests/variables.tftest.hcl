# An invalid variable is reported before anything is created.

mock_provider "aws" {
  source = "./tests"
}

run "names" {
  command = plan

  variables {
    name         = "Vendas_"
    region       = "sa-east"
    database     = "vendas-db"
    image_tag    = "latest"
    tags         = { project = "other" }
    alert_emails = ["dados"]
    github       = { repository = "vendas" }
    state_bucket = "Empresa"
  }

  expect_failures = [var.name, var.region, var.database, var.image_tag, var.tags, var.alert_emails, var.github, var.state_bucket]
}

run "networks" {
  command = plan

  variables {
    existing_network = { vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2", "subnet-2"] }
    vpc_cidr         = "10.80.0.0/24"
    egress           = "internet"
    reader_cidrs     = ["0.0.0.0/0"]
    zone_ids         = ["sae1-az1", "sae1-az2"]
    source_secrets   = { SOURCE_POSTGRES_PASSWORD = "" }
  }

  expect_failures = [var.existing_network, var.vpc_cidr, var.egress, var.reader_cidrs, var.zone_ids, var.source_secrets]
}

run "routes" {
  command = plan

  variables {
    routes = { "10.20.0.0/16" = {} }
  }

  expect_failures = [var.routes]
}

run "sizes" {
  command = plan

  variables {
    redshift_base_capacity   = 12
    redshift_daily_rpu_hours = 0
    redshift_limit_action    = "stop"
    snapshot_retention_days  = 1
    task_cpu                 = 1000
    task_scratch_gib         = 20
    task_architecture        = "x86"
    fan_out_tasks            = 41
    slow_after_minutes       = 0
    silent_after_hours       = 169
    log_retention_days       = 10
  }

  expect_failures = [
    var.redshift_base_capacity, var.redshift_daily_rpu_hours, var.redshift_limit_action,
    var.snapshot_retention_days, var.task_cpu, var.task_scratch_gib, var.task_architecture,
    var.fan_out_tasks, var.slow_after_minutes, var.silent_after_hours, var.log_retention_days,
  ]
}

run "sizes_that_contradict_each_other" {
  command = plan

  variables {
    redshift_base_capacity = 64
    task_cpu               = 4096
  }

  expect_failures = [var.redshift_max_capacity, var.task_memory]
}

run "cron_of_five_fields" {
  command = plan

  variables {
    schedule = { expression = "cron(0 5 * * ?)" }
  }

  expect_failures = [var.schedule]
}

run "cron_of_two_days" {
  command = plan

  variables {
    schedule = { expression = "cron(0 5 * * * *)" }
  }

  expect_failures = [var.schedule]
}

run "time_zone_abbreviation" {
  command = plan

  variables {
    schedule = { time_zone = "BRT" }
  }

  expect_failures = [var.schedule]
}

run "an_id_of_the_repository_without_that_of_its_owner" {
  command = plan

  variables {
    github = { repository = "empresa/plataforma-vendas@67890" }
  }

  expect_failures = [var.github]
}

run "wildcards" {
  command = plan

  variables {
    github = { repository = "empresa/plataforma-vendas", environment = "*", oidc_provider_arn = "github" }
  }

  expect_failures = [var.github]
}

# tests/python/integration/infra/test_connections.py has each mistake and its message.
run "connections" {
  command = plan

  variables {
    connections = { erp = {} }
  }

  expect_failures = [var.connections]
}
