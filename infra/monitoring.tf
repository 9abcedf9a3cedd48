# Alerts. The state machine reports a failure itself, with the step and a link to its log; the alarms cover what it
# cannot report: that it did not run, was stopped, or was too slow.

resource "aws_sns_topic" "alerts" {
  name              = "${var.name}-alerts"
  kms_master_key_id = aws_kms_key.this.arn
}

resource "aws_sns_topic_policy" "alerts" {
  arn = aws_sns_topic.alerts.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Alarms"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.alerts.arn
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each  = var.alert_emails
  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

locals {
  runs = { StateMachineArn = aws_sfn_state_machine.this.arn }
  run_alarms = {
    failed = {
      description = "A run failed. A message of the state machine names the step and the cause."
      namespace   = "AWS/States", metric = "ExecutionsFailed", dimensions = local.runs
      statistic   = "Sum", period = 300, periods = 1, comparison = ">=", threshold = 1, missing = "notBreaching", clears_by_itself = true
    }
    timed-out = {
      description = "A run reached its timeout. See its history in Step Functions."
      namespace   = "AWS/States", metric = "ExecutionsTimedOut", dimensions = local.runs
      statistic   = "Sum", period = 300, periods = 1, comparison = ">=", threshold = 1, missing = "notBreaching", clears_by_itself = true
    }
    stopped = {
      description = "A person stopped a run. Start it again: nothing is lost."
      namespace   = "AWS/States", metric = "ExecutionsAborted", dimensions = local.runs
      statistic   = "Sum", period = 300, periods = 1, comparison = ">=", threshold = 1, missing = "notBreaching", clears_by_itself = true
    }
    slow = {
      # A run has a duration only after it has ended; a run that hangs is ended by the timeouts of the state machine.
      description = "A run took longer than ${var.slow_after_minutes} minutes; reported when it ends. A run that hangs is ended after 2 hours of one attempt, or 48 hours in total."
      namespace   = "AWS/States", metric = "ExecutionTime", dimensions = local.runs
      statistic   = "Maximum", period = 300, periods = 1, comparison = ">", threshold = var.slow_after_minutes * 60 * 1000, missing = "notBreaching", clears_by_itself = true
    }
    # Hours, because a period of a day starts at midnight UTC.
    not-run = {
      description = "No run has succeeded for ${var.silent_after_hours} hours, or since the first deployment. make run-aws starts one; see whether the schedule is enabled, and whether starts were missed."
      namespace   = "AWS/States", metric = "ExecutionsSucceeded", dimensions = local.runs
      statistic   = "Sum", period = 3600, periods = var.silent_after_hours, comparison = "<", threshold = 1, missing = "breaching", clears_by_itself = false
    }
    not-started = {
      description = "A scheduled start of a run or of a snapshot could not be delivered: see queue ${aws_sqs_queue.missed.name}."
      namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = aws_sqs_queue.missed.name }
      statistic   = "Maximum", period = 300, periods = 1, comparison = ">=", threshold = 1, missing = "notBreaching", clears_by_itself = false
    }
    redshift-usage = {
      description = "Redshift used more than ${var.redshift_daily_rpu_hours} RPU-hours in a day: see SYS_SERVERLESS_USAGE and SYS_QUERY_HISTORY."
      namespace   = "AWS/Redshift-Serverless", metric = "ComputeSeconds", dimensions = { Workgroup = aws_redshiftserverless_workgroup.this.workgroup_name }
      statistic   = "Sum", period = 86400, periods = 1, comparison = ">=", threshold = var.redshift_daily_rpu_hours * 3600, missing = "notBreaching", clears_by_itself = true
    }
  }

  # The task of each source publishes whether it has loaded all tables: extract/task_log.py.
  stale_alarms = {
    for source in keys(var.sources) : "stale-${source}" => {
      description = "No run has loaded all tables of source ${source} for ${var.silent_after_hours} hours: what is built from them is old. See the messages of the failed runs."
      namespace   = var.name, metric = "SourceLoaded", dimensions = { Source = source }
      statistic   = "Sum", period = 3600, periods = var.silent_after_hours, comparison = "<", threshold = 1, missing = "breaching", clears_by_itself = false
    }
  }
  alarms = merge(local.run_alarms, local.stale_alarms)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.description} What to do: docs/operations/alarms.md, section ${startswith(each.key, "stale-") ? "stale-<source>" : each.key}."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  comparison_operator = { ">=" = "GreaterThanOrEqualToThreshold", ">" = "GreaterThanThreshold", "<" = "LessThanThreshold" }[each.value.comparison]
  alarm_actions       = [aws_sns_topic.alerts.arn]
  # No mail says that an alarm has cleared that clears by itself, whether or not anybody has done anything.
  ok_actions = each.value.clears_by_itself ? [] : [aws_sns_topic.alerts.arn]
}

# What the deployment costs, by its tag: docs/operations/costs.md describes how to activate it.
resource "aws_budgets_budget" "month" {
  count        = var.monthly_budget_dollars == null || length(var.alert_emails) == 0 ? 0 : 1
  name         = var.name
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_unit   = "USD"
  limit_amount = tostring(var.monthly_budget_dollars)

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:project$%s", var.name)]
  }

  dynamic "notification" {
    for_each = { ACTUAL = 80, FORECASTED = 100 }
    content {
      notification_type          = notification.key
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      comparison_operator        = "GREATER_THAN"
      subscriber_email_addresses = var.alert_emails
    }
  }
}
