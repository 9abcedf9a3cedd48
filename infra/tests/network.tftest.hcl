# A new VPC with a NAT gateway or with endpoints, or an existing VPC; and who may connect to whom.

mock_provider "aws" {
  source = "./tests"
}

run "nat" {
  command = apply

  assert {
    condition     = length(aws_subnet.private) == 3 && toset(aws_subnet.private[*].availability_zone) == toset(["sa-east-1a", "sa-east-1b", "sa-east-1c"])
    error_message = "Redshift Serverless needs three zones."
  }
  assert {
    condition     = join(" ", aws_subnet.private[*].cidr_block) == "10.80.0.0/22 10.80.4.0/22 10.80.8.0/22" && aws_subnet.public[0].cidr_block == "10.80.15.240/28"
    error_message = "The subnets are inside the VPC's network and do not overlap."
  }
  assert {
    condition     = alltrue([for subnet in concat(aws_subnet.private, aws_subnet.public) : subnet.map_public_ip_on_launch != true])
    error_message = "No subnet assigns public addresses."
  }
  assert {
    condition     = aws_vpc_endpoint.s3[0].vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.s3[0].service_name == "com.amazonaws.sa-east-1.s3"
    error_message = "S3 is reached through a gateway endpoint."
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_vpc_endpoint.interface) == 0
    error_message = "egress = nat creates one NAT gateway and no interface endpoints."
  }
  assert {
    condition     = { for name, rule in aws_vpc_security_group_egress_rule.task : name => [rule.from_port, rule.to_port, rule.cidr_ipv4] } == { "AWS and the employees API" = [443, 443, "0.0.0.0/0"], "Sales database" = [5432, 5432, "10.1.0.0/24"] }
    error_message = "A task may connect to HTTPS and to the source database in its own network."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.redshift_task.referenced_security_group_id == aws_security_group.task.id && length(aws_vpc_security_group_ingress_rule.redshift_reader) == 0
    error_message = "Without reader_cidrs only tasks may connect to Redshift."
  }
  assert {
    condition     = length(aws_default_security_group.none[0].ingress) == 0 && length(aws_default_security_group.none[0].egress) == 0
    error_message = "The default security group allows no traffic."
  }
}

run "endpoints" {
  command = apply

  variables {
    egress       = "endpoints"
    source_route = { transit_gateway_id = "tgw-0123456789abcdef0" }
    reader_cidrs = ["10.20.0.0/16"]
  }

  assert {
    condition     = length(aws_nat_gateway.this) + length(aws_internet_gateway.this) + length(aws_subnet.public) == 0
    error_message = "egress = endpoints has no Internet access."
  }
  assert {
    condition     = keys(aws_vpc_endpoint.interface) == ["ecr.api", "ecr.dkr", "logs", "redshift-serverless", "secretsmanager"] && alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled])
    error_message = "Each service that a task calls has an endpoint."
  }
  assert {
    condition     = aws_route.source[0].destination_cidr_block == "10.1.0.0/24" && aws_route.source[0].transit_gateway_id == "tgw-0123456789abcdef0" && length(aws_ec2_transit_gateway_vpc_attachment.source) == 1
    error_message = "The source database is reached through the transit gateway."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.redshift_reader["10.20.0.0/16"].from_port == 5439
    error_message = "Readers may connect from their networks."
  }
}

run "existing" {
  command = apply

  variables {
    existing_network = { vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2", "subnet-3"] }
  }

  assert {
    condition     = length(aws_vpc.this) + length(aws_nat_gateway.this) + length(aws_vpc_endpoint.s3) == 0
    error_message = "An existing network is not changed."
  }
  assert {
    condition     = aws_redshiftserverless_workgroup.this.subnet_ids == toset(["subnet-1", "subnet-2", "subnet-3"]) && aws_security_group.task.vpc_id == "vpc-1"
    error_message = "Redshift and the tasks are in the existing network."
  }
}
