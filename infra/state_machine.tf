resource "aws_cloudwatch_log_group" "state_machine" {
  # With this prefix, AWS needs no resource policy for each state machine.
  name              = "/aws/vendedlogs/states/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_sfn_state_machine" "this" {
  name     = var.name
  role_arn = aws_iam_role.this["state_machine"].arn

  definition = templatefile("${path.module}/state_machine.asl.json", {
    name                            = var.name
    cluster_arn                     = aws_ecs_cluster.this.arn
    loader_task_definition_arn      = aws_ecs_task_definition.this["loader"].arn
    transformer_task_definition_arn = aws_ecs_task_definition.this["transformer"].arn
    container_name                  = local.container_name
    sources                         = keys(var.sources)
    subnets                         = local.subnet_ids
    security_groups                 = [aws_security_group.task.id]
    topic_arn                       = aws_sns_topic.alerts.arn
    log_group                       = aws_cloudwatch_log_group.tasks.name
    fan_out_tasks                   = var.fan_out_tasks
    region                          = var.region
  })

  logging_configuration {
    level                  = "ALL"
    include_execution_data = true
    log_destination        = "${aws_cloudwatch_log_group.state_machine.arn}:*"
  }

  # AWS checks the role's permissions when the state machine is created.
  depends_on = [aws_iam_role_policy.this]
}
