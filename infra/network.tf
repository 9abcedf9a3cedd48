# A new VPC with three private subnets, or an existing VPC. The resources of each egress are at the end.

locals {
  own_network = var.existing_network == null ? 1 : 0
  nat         = local.own_network == 1 && var.egress == "nat" ? 1 : 0
  vpc_id      = local.own_network == 1 ? aws_vpc.this[0].id : var.existing_network.vpc_id
  subnet_ids  = local.own_network == 1 ? aws_subnet.private[*].id : var.existing_network.subnet_ids

  # The AWS services that tasks call if there is no Internet access. S3 has a gateway endpoint, which is free.
  endpoints = toset(local.own_network == 1 && var.egress == "endpoints" ? [
    "ecr.api", "ecr.dkr", "logs", "secretsmanager", "redshift-serverless",
  ] : [])
}

# Zones of the region, not Local Zones that the account has opted into.
data "aws_availability_zones" "available" {
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }

  dynamic "filter" {
    for_each = length(var.zone_ids) == 0 ? [] : [var.zone_ids]
    content {
      name   = "zone-id"
      values = filter.value
    }
  }
}

resource "aws_vpc" "this" {
  count                = local.own_network
  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

# Nothing uses the VPC's default group; without rules it allows no traffic.
resource "aws_default_security_group" "none" {
  count  = local.own_network
  vpc_id = aws_vpc.this[0].id
}

resource "aws_subnet" "private" {
  count             = local.own_network * 3
  vpc_id            = aws_vpc.this[0].id
  cidr_block        = cidrsubnet(var.vpc_cidr, 2, count.index)
  availability_zone = data.aws_availability_zones.available.names[count.index]
  tags              = { Name = "${var.name}-private-${count.index}" }

  lifecycle {
    precondition {
      condition     = length(data.aws_availability_zones.available.names) >= 3
      error_message = "zone_ids: Redshift Serverless needs three zones of this region, got ${join(", ", data.aws_availability_zones.available.names)}."
    }
  }
}

resource "aws_route_table" "private" {
  count  = local.own_network
  vpc_id = aws_vpc.this[0].id
  tags   = { Name = "${var.name}-private" }
}

resource "aws_route_table_association" "private" {
  count          = local.own_network * 3
  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private[0].id
}

resource "aws_vpc_endpoint" "s3" {
  count             = local.own_network
  vpc_id            = aws_vpc.this[0].id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private[0].id]
  tags              = { Name = "${var.name}-s3" }
}

resource "aws_route" "source" {
  for_each                  = local.routes
  route_table_id            = aws_route_table.private[0].id
  destination_cidr_block    = each.key
  transit_gateway_id        = each.value.transit_gateway_id
  vpc_peering_connection_id = each.value.vpc_peering_connection_id

  depends_on = [aws_ec2_transit_gateway_vpc_attachment.source]
}

resource "aws_ec2_transit_gateway_vpc_attachment" "source" {
  for_each           = local.transit_gateway_ids
  transit_gateway_id = each.key
  vpc_id             = aws_vpc.this[0].id
  subnet_ids         = aws_subnet.private[*].id
  tags               = { Name = var.name }
}

# --- Who may connect to whom ---

resource "aws_security_group" "task" {
  name        = "${var.name}-task"
  description = "Tasks of the pipeline: outbound connections only"
  vpc_id      = local.vpc_id

  lifecycle {
    precondition {
      condition     = alltrue([for name, port in local.source_ports : port == 443 || local.connections[name].cidr != null])
      error_message = "connections: cidr is not set for ${join(", ", [for name, port in local.source_ports : "${name} (port ${port})" if port != 443 && local.connections[name].cidr == null])}: expected the source's network, because tasks may use only HTTPS on port 443 everywhere."
    }
  }
}

resource "aws_vpc_security_group_egress_rule" "task_https" {
  security_group_id = aws_security_group.task.id
  description       = "AWS, and sources with HTTPS"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "task_source" {
  for_each          = local.source_networks
  security_group_id = aws_security_group.task.id
  description       = "Sources: ${join(", ", each.value)}"
  ip_protocol       = "tcp"
  from_port         = local.source_ports[each.value[0]]
  to_port           = local.source_ports[each.value[0]]
  cidr_ipv4         = local.connections[each.value[0]].cidr
}

resource "aws_vpc_security_group_egress_rule" "task_redshift" {
  security_group_id            = aws_security_group.task.id
  description                  = "Redshift"
  ip_protocol                  = "tcp"
  from_port                    = 5439
  to_port                      = 5439
  referenced_security_group_id = aws_security_group.redshift.id
}

resource "aws_security_group" "redshift" {
  name        = "${var.name}-redshift"
  description = "Redshift: connections from tasks and readers, and to S3 for COPY"
  vpc_id      = local.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "redshift_task" {
  security_group_id            = aws_security_group.redshift.id
  description                  = "Tasks"
  ip_protocol                  = "tcp"
  from_port                    = 5439
  to_port                      = 5439
  referenced_security_group_id = aws_security_group.task.id
}

resource "aws_vpc_security_group_ingress_rule" "redshift_reader" {
  for_each          = toset(var.reader_cidrs)
  security_group_id = aws_security_group.redshift.id
  description       = "Readers"
  ip_protocol       = "tcp"
  from_port         = 5439
  to_port           = 5439
  cidr_ipv4         = each.value

  # Without a route back, connections from there would time out.
  lifecycle {
    precondition {
      condition     = local.own_network == 0 || contains(local.routed_readers, each.value)
      error_message = "reader_cidrs: the new VPC has no route to ${each.value}: expected a network in routes that contains it, got ${length(local.routes) == 0 ? "(none)" : join(", ", keys(local.routes))}."
    }
  }
}

resource "aws_vpc_security_group_egress_rule" "redshift_s3" {
  security_group_id = aws_security_group.redshift.id
  description       = "S3"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0" # S3 has many addresses; enhanced VPC routing uses the gateway endpoint
}

# --- egress = "endpoints" ---

resource "aws_security_group" "endpoint" {
  count       = length(local.endpoints) > 0 ? 1 : 0
  name        = "${var.name}-endpoint"
  description = "Interface endpoints: connections from tasks"
  vpc_id      = local.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "endpoint_task" {
  count                        = length(local.endpoints) > 0 ? 1 : 0
  security_group_id            = aws_security_group.endpoint[0].id
  description                  = "Tasks"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.task.id
}

resource "aws_vpc_endpoint" "interface" {
  for_each            = local.endpoints
  vpc_id              = aws_vpc.this[0].id
  service_name        = "com.amazonaws.${var.region}.${each.value}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = aws_subnet.private[*].id
  security_group_ids  = [aws_security_group.endpoint[0].id]
  tags                = { Name = "${var.name}-${each.value}" }
}

# --- egress = "nat": one gateway; if its zone fails, the run fails and can be run again ---

resource "aws_internet_gateway" "this" {
  count  = local.nat
  vpc_id = aws_vpc.this[0].id
  tags   = { Name = var.name }
}

resource "aws_subnet" "public" {
  count             = local.nat
  vpc_id            = aws_vpc.this[0].id
  cidr_block        = cidrsubnet(var.vpc_cidr, 8, 255)
  availability_zone = data.aws_availability_zones.available.names[0]
  tags              = { Name = "${var.name}-public" }
}

resource "aws_route_table" "public" {
  count  = local.nat
  vpc_id = aws_vpc.this[0].id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route_table_association" "public" {
  count          = local.nat
  subnet_id      = aws_subnet.public[0].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_route" "internet" {
  count                  = local.nat
  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_eip" "nat" {
  count  = local.nat
  domain = "vpc"
  tags   = { Name = "${var.name}-nat" }
}

resource "aws_nat_gateway" "this" {
  count         = local.nat
  subnet_id     = aws_subnet.public[0].id
  allocation_id = aws_eip.nat[0].id
  tags          = { Name = var.name }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_route" "nat" {
  count                  = local.nat
  route_table_id         = aws_route_table.private[0].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[0].id
}
