# --- Names and region ---

variable "name" {
  description = "Prefix of every name. Several deployments can share an account."
  type        = string
  default     = "vendas"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name: expected 3 to 20 lowercase letters, digits and -, starting with a letter."
  }
}

variable "region" {
  description = "AWS region of the deployment."
  type        = string
  default     = "sa-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$", var.region))
    error_message = "region: expected a name such as sa-east-1."
  }
}

variable "tags" {
  description = "Tags of every resource, in addition to project."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !contains(keys(var.tags), "project")
    error_message = "tags: project cannot be set, it is the deployment's name."
  }
}

variable "protect_data" {
  description = "Refuse make destroy, refuse to delete buckets and image repositories that are not empty, and keep deleted secrets for 30 days. Set to false, apply, then destroy."
  type        = bool
  default     = true
  nullable    = false
}

variable "deployed" {
  description = "The name and the database that are deployed: they cannot change. Null: nothing is deployed. Set by make plan and make deploy."
  type        = object({ name = string, database = string })
  default     = null
}

# --- Network ---

variable "existing_network" {
  description = "An existing VPC with private subnets in three availability zones that reach S3 and the sources. Null: a new VPC."
  type = object({
    vpc_id     = string
    subnet_ids = list(string)
  })
  default = null

  validation {
    condition = var.existing_network == null ? true : (
      startswith(var.existing_network.vpc_id, "vpc-")
      && alltrue([for id in var.existing_network.subnet_ids : startswith(id, "subnet-")])
      && length(distinct(var.existing_network.subnet_ids)) >= 3
    )
    error_message = "existing_network: expected the ids of a VPC and of at least three subnets, because Redshift Serverless needs three zones."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the new VPC: a /16 to /20 that does not overlap the networks of the sources."
  type        = string
  default     = "10.80.0.0/20"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && can(regex("/(16|17|18|19|20)$", var.vpc_cidr))
    error_message = "vpc_cidr: expected a network such as 10.80.0.0/20, from /16 to /20."
  }
}

variable "zone_ids" {
  description = "Ids of three availability zones for the new VPC, such as sae1-az1. Empty: the first three of the region."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.zone_ids) == 0 || length(distinct(var.zone_ids)) >= 3
    error_message = "zone_ids: expected at least three ids, because Redshift Serverless needs three zones."
  }
}

variable "egress" {
  description = "How tasks in the new VPC reach AWS and the sources on the Internet: nat (one NAT gateway, with Internet access) or endpoints (interface endpoints to AWS only; all sources must be inside the network)."
  type        = string
  default     = "nat"

  validation {
    condition     = contains(["nat", "endpoints"], var.egress)
    error_message = "egress: expected nat or endpoints."
  }
}

variable "reader_cidrs" {
  description = "Private networks from which people and tools may connect to Redshift."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.reader_cidrs : can(cidrhost(cidr, 0)) && !endswith(cidr, "/0")])
    error_message = "reader_cidrs: expected networks such as 10.0.0.0/16, not /0."
  }
}

variable "routes" {
  description = "Routes from the new VPC to networks that are not the cidr of a source, by network: the readers', that of a private API, of a proxy or a DNS server. Each through a transit gateway or a VPC peering connection."
  type = map(object({
    transit_gateway_id        = optional(string)
    vpc_peering_connection_id = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for cidr in keys(var.routes) : can(cidrhost(cidr, 0)) && !endswith(cidr, "/0")])
    error_message = "routes: expected networks such as 10.20.0.0/16, not /0."
  }
  validation {
    condition     = alltrue([for route in var.routes : length(compact([route.transit_gateway_id, route.vpc_peering_connection_id])) == 1])
    error_message = "routes: expected either transit_gateway_id or vpc_peering_connection_id of each."
  }
  validation {
    condition     = var.existing_network == null || length(var.routes) == 0
    error_message = "routes: cannot be combined with existing_network, which has its own routes."
  }
  validation {
    condition     = length(setintersection(keys(var.routes), [for connection in var.connections : connection.cidr if connection.cidr != null && connection.route != null])) == 0
    error_message = "routes: ${join(", ", setintersection(keys(var.routes), [for connection in var.connections : connection.cidr if connection.cidr != null && connection.route != null]))} already has the route of a source in connections."
  }
}

# --- Sources ---

variable "sources" {
  description = "The declared sources by name: kind, prefix of their settings, default port, and the names of their settings without the prefix. make plan and make deploy read them from the declarations in models/."
  type = map(object({
    kind     = string
    prefix   = string
    port     = optional(number)
    settings = map(object({ required = bool, secret = bool }))
  }))
  nullable = false

  validation {
    condition     = alltrue([for name, source in var.sources : can(regex("^[a-z][a-z0-9_]*$", name)) && can(regex("^[A-Z][A-Z0-9_]*$", source.prefix))])
    error_message = "sources: expected names such as crm, and prefixes such as CRM."
  }
}

variable "connections" {
  description = <<-EOT
    How to reach each source of this account, by the source's name:
    settings: its settings without the prefix and without secrets, such as HOST, DATABASE and USER, or URL.
    cidr: its network, to which tasks may connect. Not needed for HTTPS on port 443, which they may use everywhere.
    route: from the new VPC to that network, through a transit gateway or a VPC peering connection. Null: only egress.
    secret_versions: increase by one to store a new value. A required secret starts at 1; an optional one, such as the
    key of an API, exists from 1 on.
  EOT
  type = map(object({
    settings = optional(map(string), {})
    cidr     = optional(string)
    route = optional(object({
      transit_gateway_id        = optional(string)
      vpc_peering_connection_id = optional(string)
    }))
    secret_versions = optional(map(number), {})
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.connections), keys(var.sources))) == 0
    error_message = "connections: not declared as sources: ${join(", ", setsubtract(keys(var.connections), keys(var.sources)))}; declared: ${length(var.sources) == 0 ? "(none)" : join(", ", keys(var.sources))}."
  }
  validation {
    # Terraform itself sets DROP: the bucket for dropped files is a part of the deployment.
    condition = alltrue([
      for name, source in var.sources : alltrue([
        for setting, known in source.settings :
        try(trimspace(var.connections[name].settings[setting]), "") != "" || !known.required || known.secret || setting == "DROP"
      ])
    ])
    error_message = "connections: not set or empty: ${join(", ", flatten([
      for name, source in var.sources : [
        for setting, known in source.settings : "${name}.settings.${setting}"
        if try(trimspace(var.connections[name].settings[setting]), "") == "" && known.required && !known.secret && setting != "DROP"
      ]
    ]))}."
  }
  validation {
    condition = alltrue([
      for name, connection in var.connections : alltrue([
        for setting in keys(connection.settings) : try(!var.sources[name].settings[setting].secret && setting != "DROP", !contains(keys(var.sources), name))
      ])
    ])
    error_message = "connections: no such setting, or a secret, or DROP, which Terraform sets: ${join(", ", flatten([
      for name, connection in var.connections : [
        for setting in keys(connection.settings) : "${name}.settings.${setting}"
        if !try(!var.sources[name].settings[setting].secret && setting != "DROP", !contains(keys(var.sources), name))
      ]
    ]))}."
  }
  validation {
    condition = alltrue([
      for name, connection in var.connections : alltrue([
        for setting, version in connection.secret_versions :
        try(var.sources[name].settings[setting].secret, false) && version >= 1 && floor(version) == version
      ])
    ])
    error_message = "connections: secret_versions: expected a whole number from 1 for each secret setting, such as { PASSWORD = 2 }."
  }
  validation {
    condition     = alltrue([for connection in var.connections : can(regex("^[A-Za-z0-9][A-Za-z0-9.-]*$", lookup(connection.settings, "HOST", "host")))])
    error_message = "connections: settings.HOST: expected a host name or an address, without a port."
  }
  validation {
    condition     = alltrue([for connection in var.connections : can(regex("^[0-9]+$", lookup(connection.settings, "PORT", "1"))) && try(tonumber(lookup(connection.settings, "PORT", "1")) > 0 && tonumber(lookup(connection.settings, "PORT", "1")) < 65536, false)])
    error_message = "connections: settings.PORT: expected 1 to 65535."
  }
  validation {
    condition     = alltrue([for connection in var.connections : contains(["require", "verify-ca", "verify-full"], lookup(connection.settings, "SSLMODE", "require"))])
    error_message = "connections: settings.SSLMODE: expected require, verify-ca or verify-full."
  }
  validation {
    condition     = alltrue([for connection in var.connections : can(regex("^https://[^/@?#[:space:]]+(/[^@?#[:space:]]*)?$", lookup(connection.settings, "URL", "https://host")))])
    error_message = "connections: settings.URL: expected an https URL without user, query and fragment."
  }
  validation {
    condition     = alltrue([for connection in var.connections : connection.cidr == null ? true : can(cidrhost(connection.cidr, 0)) && !endswith(connection.cidr, "/0")])
    error_message = "connections: cidr: expected the source's network, such as 10.1.0.0/24 or 192.0.2.7/32."
  }
  validation {
    condition = alltrue([
      for connection in var.connections : connection.route == null ? true : (
        length(compact([connection.route.transit_gateway_id, connection.route.vpc_peering_connection_id])) == 1 && connection.cidr != null
      )
    ])
    error_message = "connections: route: expected either transit_gateway_id or vpc_peering_connection_id, and cidr, the network that it leads to."
  }
  validation {
    condition     = var.existing_network == null || alltrue([for connection in var.connections : connection.route == null])
    error_message = "connections: route: cannot be combined with existing_network, which has its own routes."
  }
  validation {
    condition = alltrue([
      for cidr in distinct([for connection in var.connections : connection.cidr if connection.route != null]) :
      length(distinct([for connection in var.connections : jsonencode(connection.route) if connection.route != null && connection.cidr == cidr])) == 1
    ])
    error_message = "connections: route: two sources in the same network need the same route."
  }
  validation {
    condition = alltrue([
      for prefix in distinct([for source in var.sources : source.prefix]) :
      length(distinct([for name, source in var.sources : jsonencode(try(var.connections[name], {})) if source.prefix == prefix])) == 1
    ])
    error_message = "connections: two sources with the same prefix have the same settings, so they need the same connection."
  }
}

variable "source_secrets" {
  description = "The secrets of the sources by their whole names, such as CRM_PASSWORD; never in the state, and needed only when a version is new. make plan and make deploy take them from the environment."
  type        = map(string)
  default     = {}
  nullable    = false
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = alltrue([for value in values(var.source_secrets) : length(value) > 0])
    error_message = "source_secrets: expected values that are not empty."
  }
}
