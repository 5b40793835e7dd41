/* The samples that the whole thing began with, word for word: the template,
 * and every instance configuration. */
#ifndef TESTS_UNIT_AGENT_SEEDS_H
#define TESTS_UNIT_AGENT_SEEDS_H

#define SEED_TEMPLATE                                                          \
	"# backend/config/agent_templates/sales.yaml\n"                        \
	"agent_type: \"sales\"\n"                                              \
	"version: \"1.0\"\n"                                                   \
	"system_prompt: |\n"                                                   \
	"  You are a sales agent specialized in product recommendations and "  \
	"customer qualification.\n"                                            \
	"  Always be helpful, professional, and focus on understanding "       \
	"customer needs.\n"                                                    \
	"\n"                                                                   \
	"required_dependencies:\n"                                             \
	"  - database_connection\n"                                            \
	"  - vector_database\n"                                                \
	"  - session_context\n"                                                \
	"\n"                                                                   \
	"optional_dependencies:\n"                                             \
	"  - crm_integration\n"                                                \
	"  - email_service\n"                                                  \
	"  - calendar_service\n"                                               \
	"\n"                                                                   \
	"tools:\n"                                                             \
	"  - name: \"product_search\"\n"                                       \
	"    required: true\n"                                                 \
	"    config_schema:\n"                                                 \
	"      vector_namespace: \"string\"\n"                                 \
	"      max_results: \"integer\"\n"                                     \
	"      \n"                                                             \
	"  - name: \"crm_integration\" \n"                                     \
	"    required: false\n"                                                \
	"    config_schema:\n"                                                 \
	"      provider: \"enum[salesforce,hubspot,zoho]\"\n"                  \
	"      instance_url: \"string\"\n"                                     \
	"      \n"                                                             \
	"default_model: \"openai:gpt-4o\"\n"                                   \
	"max_tokens: 2000\n"                                                   \
	"temperature: 0.3\n"

#define SEED_INSTANCE                                                          \
	"{\n"                                                                  \
	"  \"system_prompt_override\": \"Focus on FDA-approved medical "       \
	"devices for healthcare professionals.\",\n"                           \
	"  \"model_override\": \"openai:gpt-4o-mini\",\n"                      \
	"  \"tools\": {\n"                                                     \
	"    \"product_search\": {\n"                                          \
	"      \"vector_namespace\": \"acme-medical-devices\",\n"              \
	"      \"max_results\": 10,\n"                                         \
	"      \"filters\": [\"fda_approved=true\"]\n"                         \
	"    },\n"                                                             \
	"    \"crm_integration\": {\n"                                         \
	"      \"provider\": \"salesforce\",\n"                                \
	"      \"instance_url\": \"acme-healthcare.my.salesforce.com\",\n"     \
	"      \"custom_fields\": {\n"                                         \
	"        \"medical_specialty\": \"Device_Specialty__c\",\n"            \
	"        \"institution_type\": \"Institution_Type__c\"\n"              \
	"      }\n"                                                            \
	"    }\n"                                                              \
	"  },\n"                                                               \
	"  \"rate_limits\": {\n"                                               \
	"    \"max_requests_per_minute\": 20,\n"                               \
	"    \"max_tokens_per_hour\": 50000\n"                                 \
	"  },\n"                                                               \
	"  \"feature_flags\": {\n"                                             \
	"    \"enable_scheduling\": true,\n"                                   \
	"    \"enable_email_followup\": true,\n"                               \
	"    \"enable_document_upload\": false\n"                              \
	"  }\n"                                                                \
	"}\n"

/* The example account's, in YAML as it stands there. */
#define SEED_ACCOUNT                                                           \
	"account_id: \"acme-healthcare-123\"\n"                                \
	"subscription_tier: \"enterprise\"\n"                                  \
	"agent_instances:\n"                                                   \
	"  - type: \"sales\"\n"                                                \
	"    instance_name: \"human_health\"\n"                                \
	"    display_name: \"Human Health Sales Agent\"\n"                     \
	"    configuration:\n"                                                 \
	"      vector_database:\n"                                             \
	"        provider: \"pinecone\"\n"                                     \
	"        namespace: \"acme-human-health\"\n"                           \
	"      crm_integration:\n"                                             \
	"        salesforce_instance: \"acme-healthcare.my.salesforce.com\"\n" \
	"      system_prompt_override: \"Focus on FDA-approved "               \
	"treatments...\"\n"                                                    \
	"        \n"                                                           \
	"  - type: \"sales\" \n"                                               \
	"    instance_name: \"animal_health\"\n"                               \
	"    display_name: \"Veterinary Sales Agent\"\n"                       \
	"    configuration:\n"                                                 \
	"      vector_database:\n"                                             \
	"        provider: \"pinecone\"\n"                                     \
	"        namespace: \"acme-animal-health\"\n"                          \
	"      crm_integration:\n"                                             \
	"        hubspot_portal: \"acme-vet\"\n"                               \
	"        \n"                                                           \
	"  - type: \"research\"\n"                                             \
	"    instance_name: \"clinical_research\"\n"                           \
	"    display_name: \"Clinical Research Agent\"\n"                      \
	"    configuration:\n"                                                 \
	"      vector_database:\n"                                             \
	"        provider: \"pinecone\"\n"                                     \
	"        namespace: \"acme-clinical-docs\"\n"                          \
	"      search_providers:\n"                                            \
	"        - \"pubmed\"\n"                                               \
	"        - \"clinical_trials_gov\"\n"                                  \
	"        \n"                                                           \
	"  - type: \"rag\"\n"                                                  \
	"    instance_name: \"regulatory_docs\"\n"                             \
	"    display_name: \"FDA Regulatory Documents\"\n"                     \
	"    configuration:\n"                                                 \
	"      vector_database:\n"                                             \
	"        provider: \"pinecone\"\n"                                     \
	"        namespace: \"acme-regulatory\"\n"                             \
	"      document_sources:\n"                                            \
	"        - \"google_drive_folder_id\": \"regulatory-documents\"\n"     \
	"        - \"sharepoint_site\": \"compliance\"\n"

#endif
