-- The store of limits in PostgreSQL 12 or newer: one function call is one operation, and one transaction.
--
-- Locks are taken in one order, so that no two transactions wait for each other: first the call (an advisory lock), then the
-- counters by name. What a counter holds (its row, its pieces, its holds) is changed only by who has locked its row.

create schema jackfield_limits;

create table jackfield_limits.version (version integer not null);
insert into jackfield_limits.version values (1);

create table jackfield_limits.counters (
    name text collate "C" primary key,       -- window and key
    key text collate "C" not null,
    kind text not null,                      -- calendar, rolling, ever
    opens bigint not null default -1,        -- of the current window; of a rolling one, its piece
    closes bigint,
    used numeric(60) not null default 0,
    reserved numeric(60) not null default 0,
    sweep_at double precision not null       -- when to look whether it can be removed
) with (fillfactor = 50);
create index counters_key on jackfield_limits.counters (key);
create index counters_sweep_at on jackfield_limits.counters (sweep_at);

-- What was used in each piece of a rolling window.
create table jackfield_limits.pieces (
    name text collate "C" not null,
    opens bigint not null,
    used numeric(60) not null,
    primary key (name, opens)
);

-- A call that has reserved; until it is over, and for an hour more, so that nothing is booked twice.
create table jackfield_limits.calls (
    id text collate "C" primary key,
    until double precision not null,
    ended boolean not null,                  -- settled or released
    expires double precision not null
);
create index calls_expires on jackfield_limits.calls (expires);

-- What a call holds of a counter.
create table jackfield_limits.holds (
    name text collate "C" not null,
    id text collate "C" not null,
    opens bigint not null,
    amount numeric(60) not null,
    until double precision not null,
    primary key (name, id)
);
create index holds_id on jackfield_limits.holds (id);
create index holds_until on jackfield_limits.holds (name, until);

create function jackfield_limits.moment() returns double precision
language sql volatile as 'select extract(epoch from clock_timestamp())::double precision';

create function jackfield_limits.lock_call(call_id text) returns jackfield_limits.calls
language plpgsql as $$
declare
    call jackfield_limits.calls;
begin
    perform pg_advisory_xact_lock(hashtextextended('jackfield_limits ' || call_id, 0));
    select * into call from jackfield_limits.calls c where c.id = call_id;
    return call;
end $$;

-- The window that contains a moment. A spec is {n: name, y: key, k: kind, p: piece, h: horizon, b: moments}.
create function jackfield_limits.span(spec jsonb, moment double precision, out opens bigint, out closes bigint)
language plpgsql immutable as $$
declare
    bounds jsonb := spec -> 'b';
    piece bigint := (spec ->> 'p')::bigint;
begin
    if spec ->> 'k' = 'ever' then
        opens := 0;
    elsif spec ->> 'k' = 'rolling' then
        opens := floor(moment / piece)::bigint * piece;
        closes := opens + piece;
    else
        for position in 0 .. jsonb_array_length(bounds) - 2 loop
            if (bounds ->> position)::bigint <= moment and moment < (bounds ->> (position + 1))::bigint then
                opens := (bounds ->> position)::bigint;
                closes := (bounds ->> (position + 1))::bigint;
                return;
            end if;
        end loop;
        -- The clock of the client is off by more than its moments reach.
        raise exception using errcode = 'JL001', message = moment::text;
    end if;
end $$;

-- Give back what leases that are over have reserved of a locked counter.
create function jackfield_limits.end_leases(counter jackfield_limits.counters, moment double precision) returns numeric
language plpgsql as $$
declare
    hold jackfield_limits.holds;
begin
    for hold in delete from jackfield_limits.holds h where h.name = counter.name and h.until <= moment returning h.* loop
        if counter.kind = 'rolling' or hold.opens = counter.opens then
            counter.reserved := greatest(counter.reserved - hold.amount, 0);
        end if;
    end loop;
    return counter.reserved;
end $$;

-- Bring a counter into the window of now. The clock may have gone back: what has begun goes on.
create function jackfield_limits.turn(counter jackfield_limits.counters, spec jsonb, moment double precision)
returns jackfield_limits.counters
language plpgsql as $$
declare
    current record;
begin
    select * into current from jackfield_limits.span(spec, moment);
    if current.opens > counter.opens then
        counter.opens := current.opens;
        counter.closes := current.closes;
        if counter.kind <> 'rolling' then
            counter.used := 0;
            counter.reserved := 0;
        end if;
    end if;
    if counter.kind = 'rolling' then
        select coalesce(sum(p.used), 0) into counter.used from jackfield_limits.pieces p
        where p.name = counter.name and p.opens >= counter.opens - (spec ->> 'h')::bigint;
    end if;
    return counter;
end $$;

-- Lock a counter, create it if it is new, and return it as it is now. `save` writes it.
create function jackfield_limits.lock_counter(spec jsonb) returns jackfield_limits.counters
language plpgsql as $$
declare
    counter jackfield_limits.counters;
    moment double precision;
    left_over numeric;
begin
    for tries in 1 .. 100 loop
        select * into counter from jackfield_limits.counters c where c.name = spec ->> 'n' for update;
        exit when found;
        insert into jackfield_limits.counters (name, key, kind, sweep_at)
        values (spec ->> 'n', spec ->> 'y', spec ->> 'k', jackfield_limits.moment() + 3600) on conflict do nothing;
    end loop;
    if counter.name is null then
        raise exception using errcode = '40001', message = 'the transaction does not see what others commit';
    end if;
    moment := jackfield_limits.moment();  -- not the beginning of a transaction that has waited
    left_over := jackfield_limits.end_leases(counter, moment);
    if left_over <> counter.reserved then
        counter.reserved := left_over;
        update jackfield_limits.counters c set reserved = left_over where c.name = counter.name;
    end if;
    counter := jackfield_limits.turn(counter, spec, moment);
    if counter.kind = 'rolling' then
        delete from jackfield_limits.pieces p
        where p.name = counter.name and p.opens < counter.opens - (spec ->> 'h')::bigint;
    end if;
    return counter;
end $$;

create function jackfield_limits.save(counter jackfield_limits.counters, spec jsonb, until double precision) returns void
language plpgsql as $$
declare
    needed double precision := greatest(coalesce(counter.closes, 0) + (spec ->> 'h')::bigint, until) + 3600;
begin
    update jackfield_limits.counters c
    set opens = counter.opens, closes = counter.closes, used = counter.used, reserved = counter.reserved,
        -- Not at every write: the column has an index.
        sweep_at = case when c.sweep_at < needed then needed + case c.kind when 'calendar' then 0 else 3600 end else c.sweep_at end
    where c.name = counter.name;
end $$;

create function jackfield_limits.state_of(counter jackfield_limits.counters, spec jsonb) returns jsonb
language plpgsql stable as $$
declare
    resets_at bigint;
begin
    if counter.kind = 'calendar' then
        resets_at := counter.closes;
    elsif counter.kind = 'rolling' then
        select min(p.opens) + (spec ->> 'h')::bigint + (spec ->> 'p')::bigint into resets_at from jackfield_limits.pieces p
        where p.name = counter.name and p.used > 0 and p.opens >= counter.opens - (spec ->> 'h')::bigint;
    end if;
    return jsonb_build_array(counter.opens, counter.used, counter.reserved, resets_at);
end $$;

-- When an amount fits if nothing more is used.
create function jackfield_limits.passes_at(
    counter jackfield_limits.counters, spec jsonb, amount numeric, most numeric
) returns bigint
language plpgsql stable as $$
declare
    piece jackfield_limits.pieces;
begin
    if amount > most then
        return null;
    elsif counter.kind = 'calendar' then
        return counter.closes;
    elsif counter.kind = 'rolling' then
        for piece in
            select * from jackfield_limits.pieces p
            where p.name = counter.name and p.opens >= counter.opens - (spec ->> 'h')::bigint order by p.opens
        loop
            counter.used := counter.used - piece.used;
            if counter.used + counter.reserved + amount <= most then
                return piece.opens + (spec ->> 'h')::bigint + (spec ->> 'p')::bigint;
            end if;
        end loop;
    end if;
    return null;
end $$;

create function jackfield_limits.reserve(call_id text, lease double precision, takes jsonb) returns jsonb
language plpgsql as $$
declare
    call jackfield_limits.calls := jackfield_limits.lock_call(call_id);
    counters jackfield_limits.counters[];
    counter jackfield_limits.counters;
    hold jackfield_limits.holds;
    take jsonb;
    moment double precision := jackfield_limits.moment();
    until double precision;
    states jsonb := '[]';
begin
    if call.id is not null and (call.ended or call.until <= moment) then
        return jsonb_build_object('is', 'ended', 'now', moment);
    end if;
    for take in select value from jsonb_array_elements(takes) order by value ->> 'n' collate "C" loop
        counters[(take ->> 'i')::integer] := jackfield_limits.lock_counter(take);
    end loop;
    moment := jackfield_limits.moment();
    if call.id is not null then
        for take in select value from jsonb_array_elements(takes) loop
            counter := counters[(take ->> 'i')::integer];
            select * into hold from jackfield_limits.holds h
            where h.name = counter.name and h.id = call_id and h.amount = (take ->> 'a')::numeric;
            if not found then
                return jsonb_build_object('is', 'other', 'now', moment);
            end if;
            counter.opens := hold.opens;
            states := states || jsonb_build_array(jackfield_limits.state_of(counter, take));
        end loop;
        return jsonb_build_object('is', 'granted', 'now', moment, 'until', call.until, 'states', states);
    end if;
    for take in select value from jsonb_array_elements(takes) loop
        counter := counters[(take ->> 'i')::integer];
        if counter.used + counter.reserved + (take ->> 'a')::numeric > (take ->> 'm')::numeric then
            return jsonb_build_object(
                'is', 'refused', 'now', moment, 'take', take -> 'i',
                'passes_at', jackfield_limits.passes_at(counter, take, (take ->> 'a')::numeric, (take ->> 'm')::numeric),
                'states', jsonb_build_array(jackfield_limits.state_of(counter, take))
            );
        end if;
    end loop;
    until := moment + lease;
    insert into jackfield_limits.calls values (call_id, until, false, until + 3600);
    for take in select value from jsonb_array_elements(takes) loop
        counter := counters[(take ->> 'i')::integer];
        counter.reserved := counter.reserved + (take ->> 'a')::numeric;
        perform jackfield_limits.save(counter, take, until);
        insert into jackfield_limits.holds values (counter.name, call_id, counter.opens, (take ->> 'a')::numeric, until);
        states := states || jsonb_build_array(jackfield_limits.state_of(counter, take));
    end loop;
    return jsonb_build_object('is', 'granted', 'now', moment, 'until', until, 'states', states);
end $$;

-- Give back what a call holds of a locked counter.
create function jackfield_limits.give_back(counter jackfield_limits.counters, call_id text) returns numeric
language plpgsql as $$
declare
    hold jackfield_limits.holds;
begin
    delete from jackfield_limits.holds h where h.name = counter.name and h.id = call_id returning h.* into hold;
    if found and (counter.kind = 'rolling' or hold.opens = counter.opens) then
        return greatest(counter.reserved - hold.amount, 0);
    end if;
    return counter.reserved;
end $$;

create function jackfield_limits.end_call(call_id text) returns void
language plpgsql as $$
declare
    moment double precision := jackfield_limits.moment();
begin
    insert into jackfield_limits.calls as c values (call_id, moment, true, moment + 3600)
    on conflict (id) do update set ended = true, expires = excluded.expires;
end $$;

create function jackfield_limits.settle(call_id text, takes jsonb) returns jsonb
language plpgsql as $$
declare
    call jackfield_limits.calls := jackfield_limits.lock_call(call_id);
    counter jackfield_limits.counters;
    take jsonb;
    begin_then bigint;
    used numeric;
    states jsonb := '{}';
begin
    for take in select value from jsonb_array_elements(takes) order by value ->> 'n' collate "C" loop
        counter := jackfield_limits.lock_counter(take);
        counter.reserved := jackfield_limits.give_back(counter, call_id);
        begin_then := (take ->> 'w')::bigint;
        used := (take ->> 'u')::numeric;
        if call.ended is true then
            used := 0;
        end if;
        if counter.kind = 'rolling' then
            if used > 0 and begin_then between counter.opens - (take ->> 'h')::bigint and counter.opens then
                insert into jackfield_limits.pieces as p values (counter.name, begin_then, used)
                on conflict (name, opens) do update set used = p.used + excluded.used;
                counter.used := counter.used + used;
            end if;
        elsif begin_then = counter.opens then
            counter.used := counter.used + used;
        end if;
        perform jackfield_limits.save(counter, take, 0);
        states := states || jsonb_build_object(take ->> 'i', jackfield_limits.state_of(counter, take));
    end loop;
    perform jackfield_limits.end_call(call_id);
    perform jackfield_limits.sweep_sometimes();
    return jsonb_build_object(
        'is', 'settled', 'now', jackfield_limits.moment(),
        'states', (select coalesce(jsonb_agg(each.value order by each.key::integer), '[]') from jsonb_each(states) each)
    );
end $$;

create function jackfield_limits.release(call_id text) returns jsonb
language plpgsql as $$
declare
    call jackfield_limits.calls := jackfield_limits.lock_call(call_id);
    counter jackfield_limits.counters;
    held text;
begin
    for held in select h.name from jackfield_limits.holds h where h.id = call_id order by h.name loop
        select * into counter from jackfield_limits.counters c where c.name = held for update;
        update jackfield_limits.counters c set reserved = jackfield_limits.give_back(counter, call_id) where c.name = held;
    end loop;
    perform jackfield_limits.end_call(call_id);
    perform jackfield_limits.sweep_sometimes();
    return jsonb_build_object('is', 'released', 'now', jackfield_limits.moment());
end $$;

create function jackfield_limits.renew(call_id text, lease double precision) returns jsonb
language plpgsql as $$
declare
    call jackfield_limits.calls := jackfield_limits.lock_call(call_id);
    held text;
    moment double precision;
begin
    for held in select h.name from jackfield_limits.holds h where h.id = call_id order by h.name loop
        perform from jackfield_limits.counters c where c.name = held for update;
    end loop;
    moment := jackfield_limits.moment();
    if call.id is null or call.ended or call.until <= moment then
        return jsonb_build_object('is', 'ended', 'now', moment);
    end if;
    update jackfield_limits.calls c set until = moment + lease, expires = moment + lease + 3600 where c.id = call_id;
    update jackfield_limits.holds h set until = moment + lease where h.id = call_id;
    update jackfield_limits.counters c set sweep_at = greatest(c.sweep_at, moment + lease + 3600)
    where c.name in (select h.name from jackfield_limits.holds h where h.id = call_id);
    return jsonb_build_object('is', 'renewed', 'now', moment);
end $$;

create function jackfield_limits.read(specs jsonb) returns jsonb
language plpgsql stable as $$
declare
    counter jackfield_limits.counters;
    spec jsonb;
    moment double precision := jackfield_limits.moment();
    states jsonb := '[]';
    gone numeric;
begin
    for spec in select value from jsonb_array_elements(specs) loop
        select * into counter from jackfield_limits.counters c where c.name = spec ->> 'n';
        if not found then
            counter := row(spec ->> 'n', spec ->> 'y', spec ->> 'k', -1, null, 0, 0, 0);
        end if;
        select coalesce(sum(h.amount), 0) into gone from jackfield_limits.holds h
        where h.name = counter.name and h.until <= moment and (counter.kind = 'rolling' or h.opens = counter.opens);
        counter.reserved := greatest(counter.reserved - gone, 0);
        counter := jackfield_limits.turn(counter, spec, moment);
        states := states || jsonb_build_array(jackfield_limits.state_of(counter, spec));
    end loop;
    return jsonb_build_object('is', 'read', 'now', moment, 'states', states);
end $$;

-- Remove what counts for nothing any more; whatever somebody else has locked is left for later.
create function jackfield_limits.sweep() returns void
language plpgsql as $$
declare
    counter jackfield_limits.counters;
    moment double precision := jackfield_limits.moment();
begin
    delete from jackfield_limits.calls c where c.id in (
        select o.id from jackfield_limits.calls o where o.expires < moment order by o.expires limit 500 for update skip locked
    );
    for counter in
        select * from jackfield_limits.counters c where c.sweep_at < moment order by c.sweep_at limit 20 for update skip locked
    loop
        counter.reserved := jackfield_limits.end_leases(counter, moment);
        if (counter.kind = 'ever' and counter.used > 0)
            or exists (select from jackfield_limits.holds h where h.name = counter.name)
        then
            update jackfield_limits.counters c set reserved = counter.reserved, sweep_at = moment + 86400
            where c.name = counter.name;
        else
            delete from jackfield_limits.pieces p where p.name = counter.name;
            delete from jackfield_limits.counters c where c.name = counter.name;
        end if;
    end loop;
end $$;

create function jackfield_limits.sweep_sometimes() returns void
language plpgsql as $$
begin
    if random() < 0.02 then
        perform jackfield_limits.sweep();
    end if;
end $$;
