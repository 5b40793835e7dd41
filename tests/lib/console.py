"""An account with a past, and a person for each role, for the console's tests."""

PASSWORD = "Zwölf Boxkämpfer jagen 17 Igel"
ROLES = ("viewer", "support", "analyst", "agent_manager", "account_admin",
         "account_owner")
ASKED = ("How do I book an appointment for next week?",
         "What does the basic check-up cost, and what is in it?",
         "Do you have parking?")


def people(rig, account="acme-healthcare"):
    """{role: e-mail address}"""
    for role in ROLES:
        rig.run("user", "create", f"{role}@example.com", "--name",
                role.replace("_", " ").title(), "--account", account,
                "--role", role, "--password-stdin", stdin=PASSWORD)
    return {role: f"{role}@example.com" for role in ROLES}


def past(rig, account="acme-healthcare"):
    """Talks of just now, and sums of the 90 days before, which the timer would
    have made of them."""
    (slug,), = rig.sql("select id from accounts where slug = "
                       f"'{account}'")
    for text in ASKED:
        session = rig.chat(message=text).json["session_key"]
        rig.chat(message="And on Saturdays?", session_key=session)
    rig.sql("select gate.maintain_partitions(now() - interval '7 months')")
    for grain, step, back in ((1440, "1 day", "200 days"),
                              (60, "1 hour", "15 days"),
                              (5, "5 minutes", "2 days")):
        rig.sql(f"""
            insert into data.usage_rollups (account_id, grain, bucket,
                agent_instance_id, model, requests, failed, cancelled,
                input_tokens, output_tokens, cached_input_tokens,
                reasoning_tokens, cost_nano_usd, unpriced, latency_ms_sum,
                latency_ms_max, latency_hist)
            select '{slug}', {grain}, b, a.id, m.model, n,
                n / 40 + (n % 7 = 3)::int, n / 60,
                n * 812, n * 143, 0, 0, n * 3500000, 0, n * 900, 4200,
                array[0, 0, n / 4, n / 2, n / 8, n - n / 4 - n / 2 - n / 8
                      - n / 20, n / 20, 0, 0, 0, 0]::bigint[]
            from generate_series(
                    date_bin('{step}', now() - interval '{back}',
                             timestamptz '2000-01-01 00:00Z'),
                    now() - interval '{step}', interval '{step}') b,
                (select id, row_number() over (order by id) r
                 from agent_instances where account_id = '{slug}') a,
                (values ('openai:gpt-4o', 3), ('anthropic:claude', 1))
                    m (model, w),
                lateral (select greatest(0, ({grain} * m.w / 12.0 / a.r *
                    (1.2 + sin(extract(epoch from b) / 13750) +
                     0.4 * sin(extract(epoch from b) / 96000 + a.r))))
                    ::bigint as n) f
            where n > 0 on conflict do nothing""")
