# What the declared sources need: settings, secrets, and a way through the network. All other files use these values, and
# of var.sources only the names.

locals {
  connections = {
    for name in keys(var.sources) : name => {
      settings        = try(var.connections[name].settings, {})
      cidr            = try(var.connections[name].cidr, null)
      route           = try(var.connections[name].route, null)
      secret_versions = try(var.connections[name].secret_versions, {})
    }
  }

  # A source with a DROP reads files that people drop, in a folder of its own. Sources with the same settings share one.
  drop_folders = { for name, source in var.sources : name => lower(source.prefix) if contains(keys(source.settings), "DROP") }
  drop_urls    = { for name, folder in local.drop_folders : name => "s3://${aws_s3_bucket.this["drop"].id}/${folder}" }

  source_environment = merge([
    for name, source in var.sources : {
      for setting, value in merge(local.connections[name].settings, { for drop, url in local.drop_urls : "DROP" => url if drop == name }) :
      "${source.prefix}_${setting}" => value
    }
  ]...)

  # The versions of the secrets by their names in the environment; a version of 0 is a secret that a source does without.
  secret_versions = {
    for name, version in merge([
      for name, source in var.sources : {
        for setting, known in source.settings :
        "${source.prefix}_${setting}" => lookup(local.connections[name].secret_versions, setting, known.required ? 1 : 0) if known.secret
      }
    ]...) : name => version if version > 0
  }

  # The port of each source: as set, of its URL, or the default.
  source_ports = {
    for name, source in var.sources : name => tonumber(try(
      local.connections[name].settings.PORT,
      regex("^https://[^/]*:([0-9]+)", local.connections[name].settings.URL)[0],
      coalesce(source.port, 443),
    ))
  }

  # The names of the sources by network and port. All tasks may use HTTPS.
  source_networks = {
    for name, connection in local.connections : "${connection.cidr} ${local.source_ports[name]}" => name...
    if connection.cidr != null && local.source_ports[name] != 443
  }

  # Routes of the new VPC by network: those of the sources, and those of readers and others.
  source_routes = {
    for name, connection in local.connections : connection.cidr => connection.route...
    if connection.route != null && local.own_network == 1
  }
  routes              = merge({ for cidr, routes in local.source_routes : cidr => routes[0] }, local.own_network == 1 ? var.routes : {})
  transit_gateway_ids = toset(compact([for route in local.routes : route.transit_gateway_id]))

  # The readers' networks that a route contains: as long a prefix, and the same network at the length of the route's.
  routed_readers = [
    for reader in var.reader_cidrs : reader if anytrue([
      for cidr in keys(local.routes) :
      tonumber(split("/", reader)[1]) >= tonumber(split("/", cidr)[1])
      && cidrhost("${split("/", reader)[0]}/${split("/", cidr)[1]}", 0) == cidrhost(cidr, 0)
    ])
  ]
}
