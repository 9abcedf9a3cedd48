{% macro check_settings() -%}
    {%- set role = ['[a-z_][a-z0-9_]{0,126}', 'the name of a database role, such as reader (lowercase letters, digits, _)'] -%}
    {%- set region = ['[a-z]{2}(-[a-z]+)+-[0-9]{1,2}', 'an AWS region, such as sa-east-1'] -%}
    {%- set expected = {
        'DBT_SCHEMA': [
            'pr_[0-9]{1,10}|(?!(pr|raw|misconfigured)_|(bronze|silver|gold|ops)$)[a-z][a-z0-9_]{0,40}',
            'the prefix of your schemas on dev, such as ana or pr_123 (lowercase letters, digits, _), not a name that prod uses'
        ],
        'REDSHIFT_DATABASE': ['[a-z_][a-z0-9_]{0,63}', 'the name of the database'],
        'REDSHIFT_USER': ['[A-Za-z_][A-Za-z0-9_:.@/+-]{0,126}', 'a user of the database'],
        'REDSHIFT_QUERY_GROUP': ['[A-Za-z0-9_-]{1,64}', 'up to 64 letters, digits, _ and -'],
        'REDSHIFT_READER_ROLE': role,
        'REDSHIFT_TRANSFORMER_ROLE': role,
        'AWS_REGION': region,
        'AWS_DEFAULT_REGION': region
    } -%}
    {%- set problems = [] -%}
    {%- for name, (pattern, meaning) in expected.items() -%}
        {%- set value = env_var(name, '') -%}
        {%- if value and not modules.re.fullmatch(pattern, value) -%}
            {%- do problems.append(name ~ ": expected " ~ meaning ~ ", got '" ~ value ~ "'") -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if target.type == 'redshift' and env_var('REDSHIFT_WORKGROUP', '') and not target.region -%}
        {%- do problems.append('AWS_REGION is not set: expected the AWS region of REDSHIFT_WORKGROUP, such as sa-east-1') -%}
    {%- endif -%}
    {%- if problems -%}
        {{ exceptions.raise_compiler_error(problems | join('; ')) }}
    {%- endif -%}
{%- endmacro %}
