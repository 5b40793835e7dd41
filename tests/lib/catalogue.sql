-- ROBUSTNESS B5: findings, one a row; none is what passes.
with tenant as (
	select c.oid, n.nspname, c.relname, c.relrowsecurity, c.relforcerowsecurity
	from pg_class c join pg_namespace n on n.oid = c.relnamespace
	where n.nspname in ('control', 'data') and c.relkind in ('r', 'p') and not c.relispartition
	and (exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'account_id' and not a.attisdropped)
		or c.relname = 'accounts')
), running as (
	select * from pg_roles where rolname in ('sb_chat', 'sb_admin', 'sb_writer', 'sb_job', 'sb_gate')
)
select 'row security not forced: ' || relname from tenant where not (relrowsecurity and relforcerowsecurity)
union all
select 'no policy that reads app.account_id with USING and WITH CHECK: ' || relname from tenant t
where not exists (select from pg_policy p where p.polrelid = t.oid
	and pg_get_expr(p.polqual, p.polrelid) like '%nullif(current_setting(''app.account_id''%'
	and p.polwithcheck is not null)
	and not exists (select from pg_policy p where p.polrelid = t.oid
	and pg_get_expr(p.polqual, p.polrelid) ilike '%nullif(current_setting(''app.account_id''%'
	and p.polwithcheck is not null)
union all
select 'policy without a role of ours is too wide: ' || relname || '.' || p.polname
from tenant t join pg_policy p on p.polrelid = t.oid
where pg_get_expr(p.polqual, p.polrelid) = 'true'
and not (p.polroles <@ array(select oid from pg_roles where rolname in ('sb_owner', 'sb_gate')))
union all
select 'no index that begins with account_id: ' || relname from tenant t
where relname <> 'accounts' and not exists (
	select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
	where i.indrelid = t.oid and a.attname = 'account_id')
union all
select 'partition with grants of its own: ' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('control', 'data') and c.relispartition and c.relkind = 'r' and exists (
	select from aclexplode(c.relacl) x join running r on r.oid = x.grantee)
union all
select 'running role has too much: ' || rolname from running
where rolsuper or rolbypassrls or rolcreatedb or rolcreaterole or (rolname = 'sb_gate' and rolcanlogin)
union all
select 'running role owns ' || c.relname from pg_class c join running r on r.oid = c.relowner
union all
select 'running role may create in schema ' || n.nspname from pg_namespace n, running r
where n.nspname in ('control', 'data', 'gate', 'public') and has_schema_privilege(r.rolname, n.oid, 'CREATE')
union all
select 'materialised view: ' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'm' and n.nspname in ('control', 'data')
union all
select 'view without security_invoker: ' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'v' and n.nspname in ('control', 'data', 'gate')
and not coalesce(c.reloptions @> array['security_invoker=true'] or c.reloptions @> array['security_invoker=on'], false)
union all
select 'definer function without a pinned search_path: ' || p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where p.prosecdef and n.nspname in ('control', 'data', 'gate')
and not exists (select from unnest(p.proconfig) c where c like 'search_path=%')
union all
select 'definer function everybody may call: ' || p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where p.prosecdef and p.prorettype <> 'trigger'::regtype and n.nspname in ('control', 'data', 'gate')
and (p.proacl is null or exists (select from aclexplode(p.proacl) x where x.grantee = 0))
