# Redshift, the tasks, the state machine, the schedule and the alarms.

mock_provider "aws" {
  source = "./tests"
}

run "run" {
  command = apply

  # --- Redshift ---
  assert {
    condition = alltrue([
      aws_redshiftserverless_namespace.this.manage_admin_password,
      aws_redshiftserverless_namespace.this.kms_key_id == aws_kms_key.this.arn,
      aws_redshiftserverless_namespace.this.default_iam_role_arn == aws_iam_role.this["copy"].arn,
      aws_redshiftserverless_namespace.this.iam_roles == toset([aws_iam_role.this["copy"].arn]),
      aws_redshiftserverless_namespace.this.log_exports == toset(["connectionlog", "useractivitylog", "userlog"]),
    ])
    error_message = "AWS manages the admin's password, the data is encrypted, and the COPY role is attached as the default."
  }
  assert {
    condition     = !aws_redshiftserverless_workgroup.this.publicly_accessible && aws_redshiftserverless_workgroup.this.enhanced_vpc_routing
    error_message = "Redshift is private and reaches S3 through the VPC."
  }
  assert {
    condition     = { for parameter in aws_redshiftserverless_workgroup.this.config_parameter : parameter.parameter_key => parameter.parameter_value }["require_ssl"] == "true"
    error_message = "Nobody can sign in without TLS."
  }
  assert {
    condition     = aws_redshiftserverless_workgroup.this.base_capacity == 8 && aws_redshiftserverless_workgroup.this.max_capacity == 32 && aws_redshiftserverless_usage_limit.day.amount == 24
    error_message = "Redshift starts small and has a usage limit."
  }
  assert {
    condition     = strcontains(output.database_set_up.procedure, "create user \"IAMR:vendas-loader\" password disable") && output.database_set_up.namespace_id == aws_redshiftserverless_namespace.this.namespace_id
    error_message = "The users are created before they sign in."
  }
  assert {
    condition     = output.database_set_up.secret_arn == aws_redshiftserverless_namespace.this.admin_password_secret_arn && output.workgroup == "vendas" && output.database == "vendas" && output.namespace == "vendas"
    error_message = "The set-up runs as the admin, whose password nobody sees."
  }

  # --- tasks ---
  assert {
    condition     = keys(aws_ecs_task_definition.this) == ["loader", "transformer"] && alltrue([for key, task in aws_ecs_task_definition.this : task.family == "vendas-${key}" && task.network_mode == "awsvpc" && task.cpu == "2048" && task.memory == "4096" && task.task_role_arn == aws_iam_role.this[key].arn && task.execution_role_arn == aws_iam_role.this["task_execution"].arn])
    error_message = "There are two tasks, each with its own role."
  }
  assert {
    condition = alltrue([
      for task in aws_ecs_task_definition.this : alltrue([
        for container in jsondecode(task.container_definitions) : alltrue([
          container.name == "pipeline",
          container.image == "123456789012.dkr.ecr.sa-east-1.amazonaws.com/vendas:0123abc",
          container.readonlyRootFilesystem,
          jsonencode(container.mountPoints) == jsonencode([{ containerPath = "/scratch", readOnly = false, sourceVolume = "scratch" }]),
          jsonencode(container.linuxParameters.capabilities.drop) == jsonencode(["ALL"]),
          container.stopTimeout == 120,
          container.logConfiguration.options["awslogs-group"] == "/vendas/tasks",
          container.logConfiguration.options["mode"] == "non-blocking",
        ])
      ]) && one([for volume in task.volume : volume.name]) == "scratch"
    ])
    error_message = "A container runs the given image, writes only to /scratch, has no privileges, and has time to stop."
  }
  assert {
    condition = jsonencode({ for key, task in aws_ecs_task_definition.this : key => sort([for variable in jsondecode(task.container_definitions)[0].environment : variable.name]) }) == jsonencode({
      loader = [
        "AWS_REGION", "DBT_LOG_PATH", "DBT_TARGET", "DBT_TARGET_PATH", "DEPLOYMENT", "EMPLOYEES_API_URL", "EXTRACT_WORK",
        "HOME", "LANDING_URL", "PARQUET_DROP", "REDSHIFT_COPY_ROLE", "REDSHIFT_DATABASE", "REDSHIFT_HOST", "REDSHIFT_PORT",
        "REDSHIFT_USER", "REDSHIFT_WORKGROUP", "SOURCE_POSTGRES_DATABASE", "SOURCE_POSTGRES_HOST", "SOURCE_POSTGRES_USER",
        "TMPDIR",
      ]
      transformer = [
        "ARTIFACTS_URL", "AWS_REGION", "DBT_LOG_LEVEL_FILE", "DBT_LOG_PATH", "DBT_TARGET", "DBT_TARGET_PATH", "DEPLOYMENT",
        "EXTRACT_WORK", "HOME", "LANDING_URL", "REDSHIFT_COPY_ROLE", "REDSHIFT_DATABASE", "REDSHIFT_HOST", "REDSHIFT_PORT", "REDSHIFT_USER",
        "REDSHIFT_WORKGROUP", "TMPDIR",
      ]
    })
    error_message = "A task has the settings that it needs, without secrets."
  }
  assert {
    condition     = jsonencode({ for key, task in aws_ecs_task_definition.this : key => jsondecode(task.container_definitions)[0].secrets }) == jsonencode({ loader = [{ name = "SOURCE_POSTGRES_PASSWORD", valueFrom = aws_secretsmanager_secret.source["SOURCE_POSTGRES_PASSWORD"].arn }], transformer = [] })
    error_message = "Only the loader has the source's password, from Secrets Manager."
  }
  assert {
    condition     = alltrue([for group in concat([aws_cloudwatch_log_group.tasks, aws_cloudwatch_log_group.state_machine], values(aws_cloudwatch_log_group.redshift)) : group.retention_in_days == 365 && group.kms_key_id == aws_kms_key.this.arn])
    error_message = "Every log is encrypted and has a retention."
  }

  # --- the state machine, as rendered ---
  assert {
    condition     = contains(keys(jsondecode(aws_sfn_state_machine.this.definition).States), jsondecode(aws_sfn_state_machine.this.definition).StartAt)
    error_message = "The state machine starts with an existing state."
  }
  assert {
    condition     = alltrue([for value in [aws_ecs_cluster.this.arn, aws_ecs_task_definition.this["transformer"].arn, aws_sns_topic.alerts.arn, aws_security_group.task.id, "\"pipeline\""] : strcontains(aws_sfn_state_machine.this.definition, value)])
    error_message = "The state machine names the cluster, the task, the container, the topic and the security group."
  }
  assert {
    condition     = !strcontains(aws_sfn_state_machine.this.definition, "$${") && aws_sfn_state_machine.this.logging_configuration[0].level == "ALL"
    error_message = "The template is completely rendered, and every step is logged."
  }

  assert {
    condition     = length(regexall("'concurrency': 8\\b", aws_sfn_state_machine.this.definition)) == 1
    error_message = "At most eight tasks load ranges of a table at the same time."
  }

  # --- the schedule ---
  assert {
    condition     = aws_scheduler_schedule.run.schedule_expression == "cron(0 5 * * ? *)" && aws_scheduler_schedule.run.schedule_expression_timezone == "America/Sao_Paulo" && aws_scheduler_schedule.run.state == "ENABLED"
    error_message = "The pipeline runs every day at 5:00 in São Paulo."
  }
  assert {
    condition     = aws_scheduler_schedule.run.target[0].arn == aws_sfn_state_machine.this.arn && aws_scheduler_schedule.run.target[0].role_arn == aws_iam_role.this["scheduler"].arn && aws_scheduler_schedule.run.target[0].input == "{}"
    error_message = "The schedule starts the state machine for all sources."
  }
  assert {
    condition     = alltrue([for schedule in [aws_scheduler_schedule.run, aws_scheduler_schedule.snapshot] : schedule.target[0].dead_letter_config[0].arn == aws_sqs_queue.missed.arn])
    error_message = "Missed starts are kept."
  }
  assert {
    condition     = aws_scheduler_schedule.snapshot.schedule_expression == "cron(0 12 * * ? *)" && aws_scheduler_schedule.snapshot.schedule_expression_timezone == "America/Sao_Paulo"
    error_message = "The snapshot is created at noon, when no run writes."
  }
  assert {
    condition     = aws_scheduler_schedule.snapshot.target[0].input == "{\"NamespaceName\":\"vendas\",\"RetentionPeriod\":14,\"SnapshotName\":\"vendas-<aws.scheduler.execution-id>\"}"
    error_message = "A snapshot is created every day and kept for two weeks."
  }

  # --- alarms ---
  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.this) == ["failed", "not-run", "not-started", "redshift-usage", "slow", "stale-api", "stale-parquet", "stale-postgres", "stopped", "timed-out"] && alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([aws_sns_topic.alerts.arn])])
    error_message = "Every alarm notifies the topic."
  }
  assert {
    condition     = [for name, alarm in aws_cloudwatch_metric_alarm.this : name if length(alarm.ok_actions) > 0] == ["not-run", "not-started", "stale-api", "stale-parquet", "stale-postgres"]
    error_message = "A mail says that an alarm has cleared only if somebody had to do something."
  }
  assert {
    condition = alltrue([
      for name, metric in { failed = "ExecutionsFailed", timed-out = "ExecutionsTimedOut", stopped = "ExecutionsAborted", slow = "ExecutionTime", not-run = "ExecutionsSucceeded" } :
      aws_cloudwatch_metric_alarm.this[name].metric_name == metric && aws_cloudwatch_metric_alarm.this[name].namespace == "AWS/States" && aws_cloudwatch_metric_alarm.this[name].dimensions == tomap({ StateMachineArn = aws_sfn_state_machine.this.arn })
    ])
    error_message = "The alarms of runs watch the state machine."
  }
  assert {
    condition = alltrue([
      for source in ["api", "parquet", "postgres"] : alltrue([
        aws_cloudwatch_metric_alarm.this["stale-${source}"].namespace == "vendas",
        aws_cloudwatch_metric_alarm.this["stale-${source}"].metric_name == "SourceLoaded",
        aws_cloudwatch_metric_alarm.this["stale-${source}"].dimensions == tomap({ Source = source }),
        aws_cloudwatch_metric_alarm.this["stale-${source}"].treat_missing_data == "breaching",
        aws_cloudwatch_metric_alarm.this["stale-${source}"].period * aws_cloudwatch_metric_alarm.this["stale-${source}"].evaluation_periods == 25 * 3600,
      ])
    ])
    error_message = "A source that no run has loaded for a day raises an alarm of its own."
  }
  assert {
    condition = alltrue([
      aws_budgets_budget.month[0].limit_amount == "150",
      one(aws_budgets_budget.month[0].cost_filter).values == tolist(["user:project$vendas"]),
      jsonencode({ for one in aws_budgets_budget.month[0].notification : one.notification_type => one.threshold }) == jsonencode({ ACTUAL = 80, FORECASTED = 100 }),
      alltrue([for one in aws_budgets_budget.month[0].notification : one.subscriber_email_addresses == toset(["dados@example.com"])]),
    ])
    error_message = "The budget counts this deployment's costs, and its mails have receivers."
  }
  assert {
    condition     = aws_cloudwatch_dashboard.this.dashboard_name == "vendas" && length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 12
    error_message = "The dashboard shows runs, tables, sources and cost."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["slow"].threshold == 3600000
    error_message = "ExecutionTime is in milliseconds."
  }
  assert {
    condition = alltrue([
      strcontains(aws_cloudwatch_metric_alarm.this["slow"].alarm_description, "${jsondecode(aws_sfn_state_machine.this.definition).TimeoutSeconds / 3600} hours in total"),
      strcontains(aws_cloudwatch_metric_alarm.this["slow"].alarm_description, "after ${jsondecode(aws_sfn_state_machine.this.definition).States["Run the tasks"].ItemProcessor.States["Run the task"].TimeoutSeconds / 3600} hours"),
    ])
    error_message = "The alarm for slow runs states when a run that hangs is ended."
  }
  assert {
    condition     = one(aws_ecs_cluster.this.setting).value == "disabled"
    error_message = "Container Insights is off: its log group has no retention."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["not-run"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.this["not-run"].period * aws_cloudwatch_metric_alarm.this["not-run"].evaluation_periods == 25 * 3600
    error_message = "No run at all for a day raises the alarm."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["redshift-usage"].threshold == 24 * 3600 && aws_cloudwatch_metric_alarm.this["redshift-usage"].dimensions == tomap({ Workgroup = "vendas" })
    error_message = "The alarm for usage is in RPU-seconds of the workgroup."
  }
  assert {
    condition     = aws_sns_topic.alerts.kms_master_key_id == aws_kms_key.this.arn && [for subscription in aws_sns_topic_subscription.email : subscription.endpoint] == ["dados@example.com"]
    error_message = "The topic is encrypted and has subscribers."
  }

  # --- what `make` reads ---
  assert {
    condition     = output.drop_urls == { parquet = "s3://vendas-drop-123456789012-sa-east-1/parquet" } && output.docs_url == "s3://vendas-artifacts-123456789012-sa-east-1/docs/index.html" && output.log_group == "/vendas/tasks" && output.workgroup == "vendas"
    error_message = "The outputs contain the addresses."
  }
  assert {
    condition     = alltrue([for text in ["dados@example.com", "PARQUET_DROP=s3://vendas-drop-123456789012-sa-east-1/parquet", "make run-aws", "production with reviewers and the variable ROLE_ARN=arn:aws:iam::123456789012:role/vendas-deploy", "production-plan without reviewers and with the variable ROLE_ARN=arn:aws:iam::123456789012:role/vendas-plan"] : strcontains(output.next_steps, text)])
    error_message = "The next steps contain this deployment's names."
  }
}
