# The dashboard. The metrics of tables and sources are those of extract/task_log.py; SEARCH finds them, because Terraform
# knows no tables. tests/python/integration/infra/test_dashboard.py compares the names.

locals {
  redshift = ["AWS/Redshift-Serverless", "ComputeSeconds", "Workgroup", aws_redshiftserverless_workgroup.this.workgroup_name]

  # The title, statistic, dimension and metrics of each widget that searches.
  searches = [
    ["Hours since the last load, by source", "Maximum", "Source", ["HoursSinceLoad"]],
    ["Complete loads, by source", "Sum", "Source", ["SourceLoaded"]],
    ["Rows loaded, by table", "Sum", "Table", ["RowsLoaded"]],
    ["Seconds of a load, by table", "Maximum", "Table", ["LoadSeconds"]],
    ["Failed loads, by table", "Sum", "Table", ["LoadFailed"]],
    ["Dead letters of a load, by table", "Sum", "Table", ["DeadLetters"]],
    ["Rejected rows in silver, by table", "Maximum", "Table", ["RowsRejected"]],
    ["Rows at the source and in silver, by table", "Maximum", "Table", ["RowsAtSource", "RowsInSilver"]],
  ]

  widgets_of_runs = [
    {
      title   = "Runs by their end", stat = "Sum", period = 3600
      metrics = [for metric in ["ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"] : ["AWS/States", metric, "StateMachineArn", aws_sfn_state_machine.this.arn]]
    },
    {
      title   = "Duration of runs, in milliseconds", stat = "Maximum", period = 3600
      metrics = [["AWS/States", "ExecutionTime", "StateMachineArn", aws_sfn_state_machine.this.arn]]
    },
  ]
  widgets_of_loads = [
    for search in local.searches : {
      title = search[0], stat = search[1], period = 3600
      metrics = [
        for metric in search[3] :
        [{ expression = "SEARCH('{\"${var.name}\",${search[2]}} MetricName=\"${metric}\"', '${search[1]}', 3600)" }]
      ]
    }
  ]
  widgets_of_builds = [
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
      for number, widget in concat(local.widgets_of_runs, local.widgets_of_loads, local.widgets_of_builds) : {
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
