/* The table of verbs, and what is made from it: help and the manual page. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include <stdio.h>

#include "cli/cli.h"

extern const struct verb verbs[]; /* ends with a NULL name */

/* The verb of ${a} and ${b} (NULL: no more words), and how many words its
 * name has; NULL if there is none. */
const struct verb *verbs_find(const char *a, const char *b, int *words);
/* Do verbs of two words begin with ${a}? */
bool verbs_group(const char *a);
/* The word that ${a} was probably meant to be, or, where ${a} is a group, ${b}
 * in it; NULL: none is near. */
const char *verbs_nearest(const char *a, const char *b);
/* Is ${group} the first of the two words of this one? */
bool verbs_in_group(const struct verb *, const char *group);

void verbs_write_help(FILE *, const struct verb *);
/* All verbs, or those whose first word is ${group}. */
void verbs_write_list(FILE *, const char *group);
/* The manual page switchboard(1). */
void verbs_write_man(FILE *);

/* The handlers: see struct verb.  One file a subject: verb_<subject>.c. */
int verb_init(struct cli *, struct err *);
int verb_migrate(struct cli *, struct err *);
int verb_account_create(struct cli *, struct err *);
int verb_account_list(struct cli *, struct err *);
int verb_account_show(struct cli *, struct err *);
int verb_account_delete(struct cli *, struct err *);
int verb_account_restore(struct cli *, struct err *);
int verb_account_export(struct cli *, struct err *);
int verb_account_set_tier(struct cli *, struct err *);
int verb_account_set_limit(struct cli *, struct err *);
int verb_account_set_strategy(struct cli *, struct err *);
int verb_account_set_second_factor(struct cli *, struct err *);
int verb_account_activate(struct cli *, struct err *);
int verb_account_deactivate(struct cli *, struct err *);
int verb_activity_list(struct cli *, struct err *);
int verb_agent_create(struct cli *, struct err *);
int verb_agent_list(struct cli *, struct err *);
int verb_agent_show(struct cli *, struct err *);
int verb_agent_configure(struct cli *, struct err *);
int verb_agent_activate(struct cli *, struct err *);
int verb_agent_deactivate(struct cli *, struct err *);
int verb_agent_archive(struct cli *, struct err *);
int verb_key_create(struct cli *, struct err *);
int verb_key_list(struct cli *, struct err *);
int verb_key_revoke(struct cli *, struct err *);
int verb_credential_list(struct cli *, struct err *);
int verb_credential_add(struct cli *, struct err *);
int verb_credential_set(struct cli *, struct err *);
int verb_credential_remove(struct cli *, struct err *);
int verb_credential_test(struct cli *, struct err *);
int verb_credential_open(struct cli *, struct err *);
int verb_credential_close(struct cli *, struct err *);
int verb_credential_reset(struct cli *, struct err *);
int verb_user_create(struct cli *, struct err *);
int verb_user_list(struct cli *, struct err *);
int verb_user_set_password(struct cli *, struct err *);
int verb_user_activate(struct cli *, struct err *);
int verb_user_deactivate(struct cli *, struct err *);
int verb_user_sign_out(struct cli *, struct err *);
int verb_token_rotate(struct cli *, struct err *);
int verb_user_grant(struct cli *, struct err *);
int verb_user_revoke(struct cli *, struct err *);
int verb_config_show(struct cli *, struct err *);
int verb_config_check(struct cli *, struct err *);
int verb_config_example(struct cli *, struct err *);
int verb_bench(struct cli *, struct err *);
int verb_demo_scale(struct cli *, struct err *);
int verb_config_propagation(struct cli *, struct err *);
int verb_cache_stats(struct cli *, struct err *);
int verb_usage(struct cli *, struct err *);
int verb_budget_list(struct cli *, struct err *);
int verb_budget_set(struct cli *, struct err *);
int verb_budget_remove(struct cli *, struct err *);
int verb_price_list(struct cli *, struct err *);
int verb_price_set(struct cli *, struct err *);
int verb_audit_list(struct cli *, struct err *);
int verb_audit_export(struct cli *, struct err *);
int verb_audit_verify(struct cli *, struct err *);
int verb_secrets_status(struct cli *, struct err *);
int verb_secrets_rotate(struct cli *, struct err *);
int verb_secrets_retire(struct cli *, struct err *);
int verb_simulate_llm(struct cli *, struct err *);
int verb_demo_load(struct cli *, struct err *);
int verb_demo_status(struct cli *, struct err *);
int verb_demo_history(struct cli *, struct err *);
int verb_doctor(struct cli *, struct err *);
int verb_docs(struct cli *, struct err *);

#endif
