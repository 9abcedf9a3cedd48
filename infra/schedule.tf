resource "aws_scheduler_schedule_group" "this" {
  name = var.name
}

# Receives the starts that AWS could not deliver; an alarm watches it.
resource "aws_sqs_queue" "missed" {
  name                              = "${var.name}-missed-starts"
  message_retention_seconds         = 14 * 24 * 3600
  kms_master_key_id                 = aws_kms_key.this.arn
  kms_data_key_reuse_period_seconds = 3600
}

resource "aws_scheduler_schedule" "run" {
  name                         = "run"
  description                  = "Starts the pipeline"
  group_name                   = aws_scheduler_schedule_group.this.name
  schedule_expression          = var.schedule.expression
  schedule_expression_timezone = var.schedule.time_zone
  state                        = var.schedule.enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_sfn_state_machine.this.arn
    role_arn = aws_iam_role.this["scheduler"].arn
    input    = jsonencode({})

    retry_policy {
      maximum_event_age_in_seconds = 3600 # a later start would run during the working day
      maximum_retry_attempts       = 5
    }

    dead_letter_config {
      arn = aws_sqs_queue.missed.arn
    }
  }
}

resource "aws_scheduler_schedule" "snapshot" {
  name                         = "snapshot"
  description                  = "Creates a snapshot of the warehouse every day"
  group_name                   = aws_scheduler_schedule_group.this.name
  schedule_expression          = "cron(0 12 * * ? *)"
  schedule_expression_timezone = var.schedule.time_zone

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:${local.partition}:scheduler:::aws-sdk:redshiftserverless:createSnapshot"
    role_arn = aws_iam_role.this["scheduler"].arn
    # EventBridge replaces <…> with the id; jsonencode writes it as \u003c…\u003e, which is undone here.
    input = replace(replace(jsonencode({
      NamespaceName   = aws_redshiftserverless_namespace.this.namespace_name
      SnapshotName    = "${var.name}-<aws.scheduler.execution-id>"
      RetentionPeriod = var.snapshot_retention_days
    }), "\\u003c", "<"), "\\u003e", ">")

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 5
    }

    dead_letter_config {
      arn = aws_sqs_queue.missed.arn
    }
  }
}
