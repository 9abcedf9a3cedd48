# Everything that the declared sources need in AWS follows from the map of them: here of none, and of a new one alone.

mock_provider "aws" {
  source = "./tests"
}

run "no_source" {
  command = apply

  variables {
    sources        = {}
    connections    = {}
    source_secrets = {}
  }

  assert {
    condition     = !anytrue([for variable in jsondecode(aws_ecs_task_definition.this["loader"].container_definitions)[0].environment : can(regex("^(EMPLOYEES|PARQUET|SOURCE)_", variable.name))]) && length(jsondecode(aws_ecs_task_definition.this["loader"].container_definitions)[0].secrets) == 0
    error_message = "Without sources the loader has no settings of sources."
  }
  assert {
    condition     = length(aws_secretsmanager_secret.source) + length(aws_secretsmanager_secret_version.source) + length(aws_vpc_security_group_egress_rule.task_source) + length(aws_route.source) == 0
    error_message = "Without sources there are no secrets, and no ways to networks of sources."
  }
  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_iam_role_policy.this), values(aws_iam_role_policy.deploy)) : [
        for s in jsondecode(policy.policy).Statement : length(s.Resource) > 0 && !anytrue([for resource in s.Resource : strcontains(resource, "-drop-")]) || startswith(s.Sid, "Buckets")
      ]
    ]))
    error_message = "Without a source that reads the drop, no task has permissions there, and no statement is without resources."
  }
  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States["Name the sources"].Assign.declared == []
    error_message = "The state machine knows no source."
  }
  assert {
    condition     = !strcontains(output.database_set_up.procedure, "raw_") && strcontains(output.database_set_up.procedure, "create schema if not exists ops authorization")
    error_message = "Without sources there is no raw schema."
  }
  assert {
    condition     = output.drop_urls == {}
    error_message = "Without sources there is no drop to name."
  }
}

run "a_database_without_its_network" {
  command = plan

  variables {
    sources     = { crm = merge(var.sources["postgres"], { prefix = "CRM" }) }
    connections = { crm = { settings = { HOST = "crm.example.com", DATABASE = "crm", USER = "leitor" } } }
  }

  expect_failures = [aws_security_group.task]
}
