-- Hash functions.
create function rs.bytes(text) returns bytea language sql immutable strict as $$ select convert_to($1, 'UTF8') $$;
create function sha2(value text, bits int) returns varchar language sql immutable strict as $$
    select case
        when bits in (0, 256) then encode(sha256(rs.bytes(value)), 'hex')
        when bits = 224 then encode(sha224(rs.bytes(value)), 'hex')
        when bits = 384 then encode(sha384(rs.bytes(value)), 'hex')
        when bits = 512 then encode(sha512(rs.bytes(value)), 'hex')
        else ''
    end
$$;
create function rs.rotate(value bigint, bits int) returns bigint language sql immutable strict as $$
    select ((value << bits) | (value >> (32 - bits))) & 4294967295
$$;
create function rs.sha1(message bytea) returns varchar language plpgsql immutable strict as $$
declare
    size int := length(message);
    padded bytea := message || '\x80'::bytea || decode(repeat('00', 63 - (size + 8) % 64), 'hex') || int8send(size * 8::bigint);
    w bigint[];
    h bigint[] := array[1732584193, 4023233417, 2562383102, 271733878, 3285377520];
    a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint; t bigint;
begin
    for block in 0 .. length(padded) / 64 - 1 loop
        for i in 0 .. 15 loop
            w[i] := ('x' || encode(substring(padded from block * 64 + i * 4 + 1 for 4), 'hex'))::bit(32)::bigint & 4294967295;
        end loop;
        for i in 16 .. 79 loop
            w[i] := rs.rotate(w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16], 1);
        end loop;
        a := h[1]; b := h[2]; c := h[3]; d := h[4]; e := h[5];
        for i in 0 .. 79 loop
            if i < 20 then
                f := (b & c) | (~b & d); k := 1518500249;
            elsif i < 40 then
                f := b # c # d; k := 1859775393;
            elsif i < 60 then
                f := (b & c) | (b & d) | (c & d); k := 2400959708;
            else
                f := b # c # d; k := 3395469782;
            end if;
            t := (rs.rotate(a, 5) + (f & 4294967295) + e + k + w[i]) & 4294967295;
            e := d; d := c; c := rs.rotate(b, 30); b := a; a := t;
        end loop;
        h := array[h[1] + a, h[2] + b, h[3] + c, h[4] + d, h[5] + e];
        for i in 1 .. 5 loop
            h[i] := h[i] & 4294967295;
        end loop;
    end loop;
    return lpad(to_hex(h[1]), 8, '0') || lpad(to_hex(h[2]), 8, '0') || lpad(to_hex(h[3]), 8, '0')
        || lpad(to_hex(h[4]), 8, '0') || lpad(to_hex(h[5]), 8, '0');
end $$;
do $do$
declare
    name text;
begin
    foreach name in array array['sha', 'sha1', 'func_sha1'] loop
        execute format(
            $f$create function %s(text) returns varchar language sql immutable strict as 'select rs.sha1(rs.bytes($1))'$f$, name
        );
    end loop;
end $do$;
create function rs.crc32(text) returns varchar language sql immutable strict as $$
    select lpad(to_hex(crc32c(rs.bytes($1))), 8, '0')
$$;
-- Of a decimal, its digits without the point; Redshift does not document it for other types.
create function checksum(value numeric) returns int language plpgsql immutable strict as $$
declare
    digits numeric := value * 10::numeric ^ scale(value);
begin
    if digits not between -2147483648 and 2147483647 then
        perform rs.refuse('CHECKSUM of a decimal with so many digits');
    end if;
    return digits;
end $$;
do $do$
declare
    kind text;
begin
    foreach kind in array array['smallint', 'int', 'bigint', 'text', 'character'] loop
        execute format(
            'create function checksum(%1$s) returns int language sql immutable as'
            ' $f$select rs.refuse(''function checksum of %1$s'')::int$f$', kind
        );
    end loop;
end $do$;

-- The bytes of a value as the processor has them, the lowest one first.
create function rs.reversed(bytes bytea) returns bytea language sql immutable strict as $$
    select coalesce(string_agg(substring(bytes from n for 1), '' order by n desc), '') from generate_series(1, length(bytes)) n
$$;
-- FNV-1a with 64 bits. The state is kept in halves of 32 bits: the prime is 2 ^ 40 + 435.
create function rs.fnv1a(bytes bytea, seed bigint) returns bigint language plpgsql immutable strict as $$
declare
    low bigint := seed & 4294967295;
    high bigint := (seed >> 32) & 4294967295;
    product bigint;
begin
    for n in 0 .. length(bytes) - 1 loop
        low := low # get_byte(bytes, n);
        product := low * 435;
        high := (high * 435 + (product >> 32) + (low << 8)) & 4294967295;
        low := product & 4294967295;
    end loop;
    return high << 32 | low;
end $$;
-- Murmur3 with 32 bits, x86.
create function rs.multiply32(a bigint, b bigint) returns bigint language sql immutable strict as $$
    select ((a & 65535) * b + (((a >> 16) * b & 65535) << 16)) & 4294967295
$$;
create function rs.scramble(k bigint) returns bigint language sql immutable strict as $$
    select rs.multiply32(rs.rotate(rs.multiply32(k, 3432918353), 15), 461845907)
$$;
create function rs.murmur3(bytes bytea, seed int) returns int language plpgsql immutable strict as $$
declare
    h bigint := seed::bigint & 4294967295;
    k bigint;
    size int := length(bytes);
begin
    for n in 0 .. size / 4 - 1 loop
        k := 0;
        for m in reverse 3 .. 0 loop
            k := (k << 8) | get_byte(bytes, n * 4 + m);
        end loop;
        h := (rs.rotate(h # rs.scramble(k), 13) * 5 + 3864292196) & 4294967295;
    end loop;
    k := 0;
    for n in reverse size - 1 .. size / 4 * 4 loop
        k := (k << 8) | get_byte(bytes, n);
    end loop;
    h := h # rs.scramble(k) # size;
    h := rs.multiply32(h # (h >> 16), 2246822507);
    h := rs.multiply32(h # (h >> 13), 3266489909);
    h := h # (h >> 16);
    return case when h > 2147483647 then h - 4294967296 else h end;
end $$;
-- A decimal is hashed as the fewest bytes of its digits, the highest first.
create function rs.digit_bytes(value numeric) returns bytea language plpgsql immutable strict as $$
declare
    digits numeric := value * 10::numeric ^ scale(value);
    bytes bytea := '';
begin
    loop
        bytes := set_byte('\x00'::bytea, 0, mod(mod(digits, 256) + 256, 256)::int) || bytes;
        digits := floor(digits / 256);
        exit when (digits = 0 and get_byte(bytes, 0) < 128) or (digits = -1 and get_byte(bytes, 0) > 127);
    end loop;
    return bytes;
end $$;
do $do$
declare
    one record;
begin
    for one in
        select * from (values
            ('smallint', 'rs.reversed(int2send($1))', 'rs.reversed(int8send($1))'),
            ('int', 'rs.reversed(int4send($1))', 'rs.reversed(int8send($1))'),
            ('bigint', 'rs.reversed(int8send($1))', 'rs.reversed(int8send($1))'),
            ('text', 'rs.bytes($1)', 'rs.bytes($1)'),
            ('character', 'rs.bytes(rtrim($1))', 'rs.bytes(rtrim($1))'),
            ('varbyte', '$1::bytea', '$1::bytea'),
            ('numeric', $$rs.bytes(rs.refuse('FNV_HASH of a decimal'))$$, 'rs.digit_bytes($1)'),
            ('anyelement', $$rs.bytes(rs.refuse('FNV_HASH of this type'))$$, $$rs.bytes(rs.refuse('MURMUR3_32_HASH of this type'))$$)
        ) v (type, fnv, murmur3)
    loop
        execute format(
            'create function fnv_hash(%1$s) returns bigint language sql immutable as'
            ' $f$select rs.fnv1a(%2$s, -3750763034362895579)$f$;'
            'create function fnv_hash(%1$s, bigint) returns bigint language sql immutable as $f$select rs.fnv1a(%2$s, $2)$f$',
            one.type, one.fnv
        );
        execute format(
            'create function murmur3_32_hash(%1$s, int default 0) returns int language sql immutable as'
            ' $f$select rs.murmur3(%2$s, $2)$f$',
            one.type, one.murmur3
        );
    end loop;
end $do$;

-- FarmHash's Fingerprint64. The numbers have 64 bits and no sign in the original: here they wrap around as bigint.
create function rs.wrap(value numeric) returns bigint language sql immutable strict as $$
    select (mod(mod(value, 18446744073709551616) + 27670116110564327424, 18446744073709551616) - 9223372036854775808)::bigint
$$;
create function rs.plus(variadic numbers bigint[]) returns bigint language sql immutable strict as $$
    select rs.wrap(sum(n::numeric)) from unnest(numbers) n
$$;
create function rs.times(a bigint, b bigint) returns bigint language sql immutable strict as $$
    select rs.wrap(a::numeric * b)
$$;
create function rs.shift64(value bigint, bits int) returns bigint language sql immutable strict as $$
    select (value >> bits) & ~((-1)::bigint << (64 - bits))
$$;
create function rs.rotate64(value bigint, bits int) returns bigint language sql immutable strict as $$
    select rs.shift64(value, bits) | (value << (64 - bits))
$$;
create function rs.fetch(bytes bytea, place int, size int default 8) returns bigint language plpgsql immutable strict as $$
declare
    value bigint := 0;
begin
    for n in reverse place + size - 1 .. place loop
        value := (value << 8) | get_byte(bytes, n);
    end loop;
    return value;
end $$;
create function rs.mix(value bigint) returns bigint language sql immutable strict as $$ select value # rs.shift64(value, 47) $$;
create function rs.farm_pair(u bigint, v bigint, m bigint) returns bigint language sql immutable strict as $$
    select rs.times(rs.mix(rs.times(v # rs.mix(rs.times(u # v, m)), m)), m)
$$;
create function rs.farm_weak(bytes bytea, place int, a bigint, b bigint) returns bigint[] language plpgsql immutable strict as $$
declare
    z bigint := rs.fetch(bytes, place + 24);
    c bigint;
begin
    a := rs.plus(a, rs.fetch(bytes, place));
    b := rs.rotate64(rs.plus(b, a, z), 21);
    c := a;
    a := rs.plus(a, rs.fetch(bytes, place + 8), rs.fetch(bytes, place + 16));
    b := rs.plus(b, rs.rotate64(a, 44));
    return array[rs.plus(a, z), rs.plus(b, c)];
end $$;
create function rs.farm_round(bytes bytea, place int, m bigint, weight int, inout x bigint, inout y bigint, inout z bigint,
    inout v bigint[], inout w bigint[]) language plpgsql immutable strict as $$
declare
    swapped bigint;
begin
    x := rs.times(rs.rotate64(rs.plus(x, y, v[1], rs.fetch(bytes, place + 8)), 37), m);
    y := rs.times(rs.rotate64(rs.plus(y, v[2], rs.fetch(bytes, place + 48)), 42), m);
    x := x # rs.times(w[2], weight);
    y := rs.plus(y, rs.times(v[1], weight), rs.fetch(bytes, place + 40));
    z := rs.times(rs.rotate64(rs.plus(z, w[1]), 33), m);
    v := rs.farm_weak(bytes, place, rs.times(v[2], m), rs.plus(x, w[1]));
    w := rs.farm_weak(bytes, place + 32, rs.plus(z, w[2]), rs.plus(y, rs.fetch(bytes, place + 16)));
    swapped := z;
    z := x;
    x := swapped;
end $$;
create function rs.farm(bytes bytea) returns bigint language plpgsql immutable strict as $$
declare
    k0 constant bigint := -4348849565147123417;
    k1 constant bigint := -5435081209227447693;
    k2 constant bigint := -7286425919675154353;
    size int := length(bytes);
    m bigint := rs.plus(k2, size * 2);
    a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; g bigint; h bigint;
    x bigint; y bigint; z bigint;
    v bigint[] := '{0,0}';
    w bigint[] := '{0,0}';
    place int := 0;
begin
    if size = 0 then
        return k2;
    elsif size < 4 then
        y := get_byte(bytes, 0) + (get_byte(bytes, size / 2) << 8);
        z := size + (get_byte(bytes, size - 1) << 2);
        return rs.times(rs.mix(rs.times(y, k2) # rs.times(z, k0)), k2);
    elsif size < 8 then
        return rs.farm_pair(size + (rs.fetch(bytes, 0, 4) << 3), rs.fetch(bytes, size - 4, 4), m);
    elsif size <= 16 then
        a := rs.plus(rs.fetch(bytes, 0), k2);
        b := rs.fetch(bytes, size - 8);
        c := rs.plus(rs.times(rs.rotate64(b, 37), m), a);
        d := rs.times(rs.plus(rs.rotate64(a, 25), b), m);
        return rs.farm_pair(c, d, m);
    elsif size <= 64 then
        a := rs.times(rs.fetch(bytes, 0), case when size <= 32 then k1 else k2 end);
        b := rs.fetch(bytes, 8);
        c := rs.times(rs.fetch(bytes, size - 8), m);
        d := rs.times(rs.fetch(bytes, size - 16), k2);
        y := rs.plus(rs.rotate64(rs.plus(a, b), 43), rs.rotate64(c, 30), d);
        z := rs.farm_pair(y, rs.plus(a, rs.rotate64(rs.plus(b, k2), 18), c), m);
        if size <= 32 then
            return z;
        end if;
        e := rs.times(rs.fetch(bytes, 16), m);
        f := rs.fetch(bytes, 24);
        g := rs.times(rs.plus(y, rs.fetch(bytes, size - 32)), m);
        h := rs.times(rs.plus(z, rs.fetch(bytes, size - 24)), m);
        return rs.farm_pair(
            rs.plus(rs.rotate64(rs.plus(e, f), 43), rs.rotate64(g, 30), h),
            rs.plus(e, rs.rotate64(rs.plus(f, a), 18), g), m
        );
    end if;
    y := rs.plus(rs.times(81, k1), 113);
    z := rs.times(rs.mix(rs.plus(rs.times(y, k2), 113)), k2);
    x := rs.plus(rs.times(81, k2), rs.fetch(bytes, 0));
    for block in 0 .. (size - 1) / 64 - 1 loop
        select * into x, y, z, v, w from rs.farm_round(bytes, block * 64, k1, 1, x, y, z, v, w);
    end loop;
    m := rs.plus(k1, (z & 255) << 1);
    w[1] := rs.plus(w[1], (size - 1) & 63);
    v[1] := rs.plus(v[1], w[1]);
    w[1] := rs.plus(w[1], v[1]);
    select * into x, y, z, v, w from rs.farm_round(bytes, size - 64, m, 9, x, y, z, v, w);
    return rs.farm_pair(
        rs.plus(rs.farm_pair(v[1], w[1], m), rs.times(rs.mix(y), k0), z), rs.plus(rs.farm_pair(v[2], w[2], m), x), m
    );
end $$;
create function farmfingerprint64(text) returns bigint language sql immutable strict as $$ select rs.farm(rs.bytes($1)) $$;
create function farmfingerprint64(varbyte) returns bigint language sql immutable strict as $$ select rs.farm($1) $$;
