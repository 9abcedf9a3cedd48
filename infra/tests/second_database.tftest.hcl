# The demo's sources and a second database. tests/python/integration/infra checks what this run renders.

mock_provider "aws" {
  source = "./tests"
}

run "demo_and_a_second_database" {
  command = apply

  variables {
    sources = merge(var.sources, { crm = merge(var.sources["postgres"], { prefix = "CRM" }) })
    connections = merge(var.connections, {
      crm = { settings = { HOST = "crm.example.com", PORT = "6432", DATABASE = "crm", USER = "leitor" }, cidr = "10.2.0.0/24" }
    })
    source_secrets = { CRM_PASSWORD = "outro" }
  }

  assert {
    condition = {
      for variable in jsondecode(aws_ecs_task_definition.this["loader"].container_definitions)[0].environment : variable.name => variable.value
      if can(regex("^(CRM|EMPLOYEES|PARQUET|SOURCE)_", variable.name))
      } == {
      CRM_DATABASE             = "crm"
      CRM_HOST                 = "crm.example.com"
      CRM_PORT                 = "6432"
      CRM_USER                 = "leitor"
      EMPLOYEES_API_URL        = "https://api.example.com/employees"
      PARQUET_DROP             = "s3://vendas-drop-123456789012-sa-east-1/parquet"
      SOURCE_POSTGRES_DATABASE = "erp"
      SOURCE_POSTGRES_HOST     = "db.example.com"
      SOURCE_POSTGRES_USER     = "leitor"
    }
    error_message = "The loader has the settings of each source under its prefix."
  }
  assert {
    condition = {
      for secret in jsondecode(aws_ecs_task_definition.this["loader"].container_definitions)[0].secrets : secret.name => secret.valueFrom
      } == {
      CRM_PASSWORD             = aws_secretsmanager_secret.source["CRM_PASSWORD"].arn
      SOURCE_POSTGRES_PASSWORD = aws_secretsmanager_secret.source["SOURCE_POSTGRES_PASSWORD"].arn
    }
    error_message = "Each password is a secret of its own."
  }
  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.this["task_execution"].policy).Statement : s.Resource if s.Sid == "ReadSecrets"]) == [for secret in aws_secretsmanager_secret.source : secret.arn]
    error_message = "ECS may read each secret."
  }
  assert {
    condition     = { for rule in aws_vpc_security_group_egress_rule.task_source : rule.description => [rule.from_port, rule.to_port, rule.cidr_ipv4] } == { "Sources: crm" = [6432, 6432, "10.2.0.0/24"], "Sources: postgres" = [5432, 5432, "10.1.0.0/24"] }
    error_message = "Tasks may connect to each database in its own network and at its own port."
  }
  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States["Name the sources"].Assign.declared == ["api", "crm", "parquet", "postgres"]
    error_message = "The state machine loads all declared sources."
  }
  assert {
    condition     = alltrue([for schema in ["raw_api", "raw_crm", "raw_parquet", "raw_postgres", "ops"] : strcontains(output.database_set_up.procedure, "create schema if not exists ${schema} authorization") && strcontains(output.database_set_up.procedure, "grant usage on schema ${schema} to role transformer")])
    error_message = "Each source has a raw schema that the transformer may read."
  }
}
