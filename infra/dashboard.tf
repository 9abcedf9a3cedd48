# The dashboard. The metrics of tables and sources are those of extract/task_log.py; SEARCH finds them, because Terraform
# knows no tables. tests/python/integration/infra/test_dashboard.py compares the names.

locals {
  by_table  = { for metric in ["RowsLoaded", "LoadSeconds", "LoadFailed", "DeadLetters", "RowsRejected", "RowsAtSource", "RowsInSilver"] : metric => "{\"${var.name}\",Table} MetricName=\"${metric}\"" }
  by_source = { for metric in ["HoursSinceLoad", "SourceLoaded"] : metric => "{\"${var.name}\",Source} MetricName=\"${metric}\"" }
  redshift  = ["AWS/Redshift-Serverless", "ComputeSeconds", "Workgroup", aws_redshiftserverless_workgroup.this.workgroup_name]

  widgets = [
    {
      title   = "Runs by their end", stat = "Sum", period = 3600
      metrics = [for metric in ["ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"] : ["AWS/States", metric, "StateMachineArn", aws_sfn_state_machine.this.arn]]
    },
    {
      title   = "Duration of runs, in milliseconds", stat = "Maximum", period = 3600
      metrics = [["AWS/States", "ExecutionTime", "StateMachineArn", aws_sfn_state_machine.this.arn]]
    },
    {
      title   = "Hours since the last load, by source", stat = "Maximum", period = 3600
      metrics = [[{ expression = "SEARCH('${local.by_source["HoursSinceLoad"]}', 'Maximum', 3600)" }]]
    },
    {
      title   = "Complete loads, by source", stat = "Sum", period = 3600
      metrics = [[{ expression = "SEARCH('${local.by_source["SourceLoaded"]}', 'Sum', 3600)" }]]
    },
    {
      title   = "Rows loaded, by table", stat = "Sum", period = 3600
      metrics = [[{ expression = "SEARCH('${local.by_table["RowsLoaded"]}', 'Sum', 3600)" }]]
    },
    {
      title   = "Seconds of a load, by table", stat = "Maximum", period = 3600
      metrics = [[{ expression = "SEARCH('${local.by_table["LoadSeconds"]}', 'Maximum', 3600)" }]]
    },
    {
      title   = "Failed loads, by table", stat = "Sum", period = 3600
      metrics = [[{ expression = "SEARCH('${local.by_table["LoadFailed"]}', 'Sum', 3600)" }]]
    },
    {
      title   = "Dead letters of a load, by table", stat = "Sum", period = 3600
      metrics = [[{ expression = "SEARCH('${local.by_table["DeadLetters"]}', 'Sum', 3600)" }]]
    },
    {
      title   = "Rejected rows in silver, by table", stat = "Maximum", period = 3600
      metrics = [[{ expression = "SEARCH('${local.by_table["RowsRejected"]}', 'Maximum', 3600)" }]]
    },
    {
      title = "Rows at the source and in silver, by table", stat = "Maximum", period = 3600
      metrics = [
        [{ expression = "SEARCH('${local.by_table["RowsAtSource"]}', 'Maximum', 3600)" }],
        [{ expression = "SEARCH('${local.by_table["RowsInSilver"]}', 'Maximum', 3600)" }],
      ]
    },
    {
      title   = "The build: seconds, and nodes that failed or warned", stat = "Maximum", period = 3600
      metrics = [for metric in ["BuildSeconds", "NodesFailed", "NodesWarned"] : [var.name, metric]]
    },
    {
      title = "Redshift: RPU seconds, and their price in dollars", stat = "Sum", period = 86400
      metrics = [
        concat(local.redshift, [{ id = "rpu" }]),
        [{ expression = "rpu / 3600 * ${var.redshift_dollars_per_rpu_hour}", label = "dollars a day", yAxis = "right" }],
      ]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      for number, widget in local.widgets : {
        type   = "metric"
        x      = number % 2 * 12
        y      = floor(number / 2) * 6
        width  = 12
        height = 6
        properties = {
          title   = widget.title
          stat    = widget.stat
          period  = widget.period
          metrics = widget.metrics
          region  = var.region
          view    = "timeSeries"
        }
      }
    ]
  })
}
