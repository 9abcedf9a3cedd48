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
    condition     = [for rule in concat([aws_vpc_security_group_egress_rule.task_https], values(aws_vpc_security_group_egress_rule.task_source)) : [rule.description, rule.from_port, rule.to_port, rule.cidr_ipv4]] == [["AWS, and sources with HTTPS", 443, 443, "0.0.0.0/0"], ["Sources: postgres", 5432, 5432, "10.1.0.0/24"]]
    error_message = "A task may connect to HTTPS, and to a source at another port in its own network."
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
    reader_cidrs = ["10.20.4.0/24"]
    routes       = { "10.20.0.0/16" = { transit_gateway_id = "tgw-0123456789abcdef0" }, "10.30.0.0/16" = { vpc_peering_connection_id = "pcx-1" } }
    connections = {
      api = {
        settings = { URL = "https://api.example.com:8443/employees" }
        cidr     = "10.1.0.0/24"
        route    = { transit_gateway_id = "tgw-0123456789abcdef0" }
      }
      postgres = {
        settings = { HOST = "db.example.com", PORT = "6432", DATABASE = "erp", USER = "leitor" }
        cidr     = "10.1.0.0/24"
        route    = { transit_gateway_id = "tgw-0123456789abcdef0" }
      }
    }
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
    condition     = { for route in aws_route.source : route.destination_cidr_block => coalesce(route.transit_gateway_id, route.vpc_peering_connection_id) } == { "10.1.0.0/24" = "tgw-0123456789abcdef0", "10.20.0.0/16" = "tgw-0123456789abcdef0", "10.30.0.0/16" = "pcx-1" } && keys(aws_ec2_transit_gateway_vpc_attachment.source) == ["tgw-0123456789abcdef0"]
    error_message = "Two sources in one network share the route through the transit gateway, and readers and others have theirs."
  }
  assert {
    condition     = { for rule in aws_vpc_security_group_egress_rule.task_source : rule.description => [rule.from_port, rule.to_port, rule.cidr_ipv4] } == { "Sources: api" = [8443, 8443, "10.1.0.0/24"], "Sources: postgres" = [6432, 6432, "10.1.0.0/24"] }
    error_message = "The port of a source is the one of its settings or its URL."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.redshift_reader["10.20.4.0/24"].from_port == 5439
    error_message = "Readers may connect from their networks."
  }
}

run "readers_without_a_route" {
  command = plan

  variables {
    reader_cidrs = ["10.20.0.0/16"]
    routes       = { "10.20.0.0/17" = { vpc_peering_connection_id = "pcx-1" } }
  }

  expect_failures = [aws_vpc_security_group_ingress_rule.redshift_reader]
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
