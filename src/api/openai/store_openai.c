/* The SQL of the OpenAI format. */
#include "api/openai/store_openai.h"

#include "util/banned.h"

const struct db_stmt openai_store_models = { "openai_models",
	"SELECT id, agent_type, instance_name FROM agent_instances "
	"WHERE account_id = $1::uuid AND status = 'active' "
	"ORDER BY agent_type, instance_name" };
