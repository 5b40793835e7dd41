/*
 * The shapes of bodies.  They describe what the handlers take and give; the
 * handlers check field by field themselves, with better words.
 */
#include "api/schema.h"

#include <string.h>

#include "util/banned.h"

/* JSON written as it is; # keeps its quotes and backslashes. */
#define J(...) #__VA_ARGS__

/* clang-format off */
const struct schema schemas[] = {
#include "api/schemas_manage.def"
{ "chat_request", J({
  "type": "object",
  "required": ["message"],
  "additionalProperties": false,
  "properties": {
    "message": {"type": "string", "minLength": 1, "description": "What the visitor says."},
    "session_key": {"type": ["string", "null"], "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$", "description": "The conversation to go on with. Absent: a new one. An API key may name its own; a widget key can use only keys that the server made for it."},
    "email": {"type": ["string", "null"], "maxLength": 254, "description": "A note about who speaks, never proof."},
    "metadata": {"type": ["object", "null"], "description": "Anything about the visit that is worth keeping."},
    "on_disconnect": {"enum": ["cancel", "finish", null], "description": "What becomes of the turn when the connection breaks. Absent: the agent's own setting."},
    "stream": {"type": ["boolean", "null"], "description": "true: answer with events, as the stream route does."}
  }
}) },
#include "api/schemas_openai.def"
{ "widget_token_request", J({
  "type": "object",
  "examples": [{"agent": "sales/human_health"}],
  "additionalProperties": false,
  "properties": {
    "agent": {"type": ["string", "null"], "pattern": "^[a-z][a-z0-9_]{0,62}/[a-z][a-z0-9_]{0,62}$", "description": "type/name of the agent the page will talk to, to be told of it. Absent: the widget key's own."},
    "visitor_token": {"type": ["string", "null"], "minLength": 1, "maxLength": 4096, "description": "Who the visitor is, said by the account's own server: a JWT signed with HS256 and a visitor secret, with sub, aud (the account's slug) and exp (within an hour), perhaps name and email. Absent: nobody in particular."}
  }
}) },
{ "widget_token", J({
  "type": "object",
  "required": ["token", "expires_in", "agent", "appearance"],
  "properties": {
    "token": {"type": "string", "description": "Shown as Authorization: Bearer, from the origin it was made for."},
    "expires_in": {"type": "integer", "minimum": 1, "description": "Seconds that it is good for."},
    "agent": {"type": ["object", "null"], "required": ["type", "name", "display_name"], "description": "null where the widget key is for every agent and none was named.", "properties": {
      "type": {"type": "string"},
      "name": {"type": "string"},
      "display_name": {"type": "string"}
    }},
    "appearance": {"$ref": "#/components/schemas/appearance"}
  }
}) },
{ "login", J({
  "type": "object",
  "examples": [{"email": "ann@example.com", "password": "Zwoelf Boxkaempfer jagen Igel"}],
  "required": ["email", "password"],
  "additionalProperties": false,
  "properties": {
    "email": {"type": "string", "minLength": 3, "maxLength": 254},
    "password": {"type": "string", "minLength": 1, "maxLength": 1024},
    "totp": {"type": ["string", "null"], "minLength": 1, "maxLength": 64, "description": "The code of a second factor, where there is one."}
  }
}) },
{ "refresh", J({
  "type": "object",
  "examples": [{"refresh_token": "sb_ref_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}],
  "required": ["refresh_token"],
  "additionalProperties": false,
  "properties": {
    "refresh_token": {"type": "string", "minLength": 1, "maxLength": 128}
  }
}) },
{ "reset", J({
  "type": "object",
  "examples": [{"email": "ann@example.com"}],
  "required": ["email"],
  "additionalProperties": false,
  "properties": {
    "email": {"type": "string", "minLength": 3, "maxLength": 254}
  }
}) },
{ "sign_up", J({
  "type": "object",
  "examples": [{"email": "ann@example.com", "account_name": "Acme Corp", "slug": "acme"}],
  "required": ["email", "account_name"],
  "additionalProperties": false,
  "properties": {
    "email": {"type": "string", "minLength": 3, "maxLength": 254},
    "account_name": {"type": "string", "minLength": 1, "maxLength": 200},
    "slug": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{1,62}$", "description": "Absent: made of the name."}
  }
}) },
{ "sign_up_confirm", J({
  "type": "object",
  "examples": [{"token": "sb_new_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "password": "Zwoelf Boxkaempfer jagen Igel"}],
  "required": ["token"],
  "additionalProperties": false,
  "properties": {
    "token": {"type": "string", "minLength": 1, "maxLength": 100},
    "password": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "For whoever has none yet."},
    "slug": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{1,62}$", "description": "Instead of the one that was asked for."}
  }
}) },
{ "signed_up", J({
  "type": "object",
  "required": ["account", "name", "email"],
  "properties": {
    "account": {"type": "string", "description": "Its slug."},
    "name": {"type": "string"},
    "email": {"type": "string", "description": "Its owner's: sign in with it."}
  }
}) },
{ "password_choice", J({
  "type": "object",
  "examples": [{"token": "sb_lnk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "new_password": "Zwoelf Boxkaempfer jagen Igel"}],
  "required": ["token", "new_password"],
  "additionalProperties": false,
  "properties": {
    "token": {"type": "string", "minLength": 1, "maxLength": 128, "description": "As it stands in the link."},
    "new_password": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "At least 15 characters, and nothing anybody would guess."}
  }
}) },
{ "user_invite", J({
  "type": "object",
  "examples": [{"email": "ann@example.com", "display_name": "Ann", "role": "agent_manager"}],
  "required": ["email", "role"],
  "additionalProperties": false,
  "properties": {
    "email": {"type": "string", "minLength": 3, "maxLength": 254, "examples": ["ann@example.com"]},
    "display_name": {"type": ["string", "null"], "minLength": 1, "maxLength": 200, "description": "Absent: what stands before the @."},
    "role": {"$ref": "#/components/schemas/account_role"}
  }
}) },
{ "user_invited", J({
  "type": "object",
  "required": ["email", "role"],
  "properties": {
    "email": {"type": "string"},
    "role": {"type": "string"}
  }
}) },
{ "password_proof", J({
  "type": "object",
  "examples": [{"password": "Zwoelf Boxkaempfer jagen Igel"}],
  "additionalProperties": false,
  "properties": {
    "password": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "The person's own, once more. Who has none (has_password of /api/v1/me), since she comes by her organisation's provider, leaves it out: a sign-in of the last ten minutes is enough."}
  }
}) },
{ "second_factor_code", J({
  "type": "object",
  "examples": [{"code": "123456"}],
  "required": ["code"],
  "additionalProperties": false,
  "properties": {
    "code": {"type": "string", "minLength": 6, "maxLength": 64}
  }
}) },
{ "second_factor", J({
  "type": "object",
  "required": ["secret", "uri", "qr_svg"],
  "properties": {
    "secret": {"type": "string", "description": "For an app that cannot see."},
    "uri": {"type": "string", "description": "otpauth://..."},
    "qr_svg": {"type": "string", "description": "The same as a QR code."}
  }
}) },
{ "recovery_codes", J({
  "type": "object",
  "required": ["recovery_codes"],
  "properties": {
    "recovery_codes": {"type": "array", "items": {"type": "string"}}
  }
}) },
{ "passkey", J({
  "type": "object",
  "required": ["id", "name", "transports", "created_at", "last_used_at"],
  "properties": {
    "id": {"type": "string", "format": "uuid"},
    "name": {"type": "string"},
    "transports": {"type": "array", "items": {"type": "string"}},
    "created_at": {"type": "string", "format": "date-time"},
    "last_used_at": {"type": ["string", "null"], "format": "date-time"}
  }
}) },
{ "passkey_list", J({
  "type": "object",
  "required": ["data"],
  "properties": {
    "data": {"type": "array", "items": {"$ref": "#/components/schemas/passkey"}}
  }
}) },
{ "passkey_create_options", J({
  "type": "object",
  "required": ["rp", "user", "challenge", "pubKeyCredParams"],
  "description": "PublicKeyCredentialCreationOptionsJSON of WebAuthn.",
  "properties": {
    "rp": {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}},
    "user": {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}, "displayName": {"type": "string"}}},
    "challenge": {"type": "string"},
    "pubKeyCredParams": {"type": "array", "items": {"type": "object"}},
    "timeout": {"type": "integer"},
    "excludeCredentials": {"type": "array", "items": {"type": "object"}},
    "authenticatorSelection": {"type": "object"},
    "attestation": {"type": "string"}
  }
}) },
{ "passkey_get_options", J({
  "type": "object",
  "required": ["challenge", "rpId", "userVerification", "allowCredentials"],
  "description": "PublicKeyCredentialRequestOptionsJSON of WebAuthn.",
  "properties": {
    "challenge": {"type": "string"},
    "rpId": {"type": "string"},
    "timeout": {"type": "integer"},
    "userVerification": {"type": "string"},
    "allowCredentials": {"type": "array", "items": {"type": "object"}}
  }
}) },
{ "passkey_attestation", J({
  "type": "object",
  "required": ["id", "type", "response"],
  "additionalProperties": false,
  "description": "RegistrationResponseJSON of WebAuthn: what toJSON() of the new credential gives. Its attestation is not looked at.",
  "properties": {
    "id": {"type": "string", "minLength": 1, "maxLength": 1400, "description": "base64url, as all bytes here."},
    "rawId": {"type": "string", "maxLength": 1400},
    "type": {"enum": ["public-key"]},
    "authenticatorAttachment": {"type": ["string", "null"], "maxLength": 100},
    "clientExtensionResults": {"type": "object"},
    "response": {
      "type": "object",
      "required": ["clientDataJSON", "authenticatorData"],
      "additionalProperties": false,
      "properties": {
        "clientDataJSON": {"type": "string", "minLength": 1, "maxLength": 8192},
        "authenticatorData": {"type": "string", "minLength": 1, "maxLength": 16384},
        "attestationObject": {"type": "string", "maxLength": 65536},
        "publicKey": {"type": ["string", "null"], "maxLength": 4096},
        "publicKeyAlgorithm": {"type": "integer"},
        "transports": {"type": "array", "maxItems": 10, "items": {"type": "string", "pattern": "^[a-z-]{1,20}$", "examples": ["internal"]}}
      }
    }
  }
}) },
{ "passkey_add", J({
  "type": "object",
  "examples": [{"name": "My telephone", "response": {"id": "AAAAAAAAAAAAAAAAAAAAAA", "type": "public-key", "response": {"clientDataJSON": "e30", "authenticatorData": "AAAA", "transports": ["internal"]}}}],
  "required": ["name", "response"],
  "additionalProperties": false,
  "properties": {
    "name": {"type": "string", "minLength": 1, "maxLength": 100, "description": "For the person, to tell it from others."},
    "response": {"$ref": "#/components/schemas/passkey_attestation"}
  }
}) },
{ "passkey_assertion", J({
  "type": "object",
  "examples": [{"id": "AAAAAAAAAAAAAAAAAAAAAA", "type": "public-key", "response": {"clientDataJSON": "e30", "authenticatorData": "AAAA", "signature": "AAAA", "userHandle": "AAAAAAAAAAAAAAAAAAAAAA"}}],
  "required": ["id", "type", "response"],
  "additionalProperties": false,
  "description": "AuthenticationResponseJSON of WebAuthn: what toJSON() of the credential gives.",
  "properties": {
    "id": {"type": "string", "minLength": 1, "maxLength": 1400, "description": "base64url, as all bytes here."},
    "rawId": {"type": "string", "maxLength": 1400},
    "type": {"enum": ["public-key"]},
    "authenticatorAttachment": {"type": ["string", "null"], "maxLength": 100},
    "clientExtensionResults": {"type": "object"},
    "response": {
      "type": "object",
      "required": ["clientDataJSON", "authenticatorData", "signature", "userHandle"],
      "additionalProperties": false,
      "properties": {
        "clientDataJSON": {"type": "string", "minLength": 1, "maxLength": 8192},
        "authenticatorData": {"type": "string", "minLength": 1, "maxLength": 16384},
        "signature": {"type": "string", "minLength": 1, "maxLength": 2048},
        "userHandle": {"type": "string", "minLength": 1, "maxLength": 100}
      }
    }
  }
}) },
{ "tokens", J({
  "type": "object",
  "required": ["access_token", "refresh_token", "token_type", "expires_in"],
  "properties": {
    "access_token": {"type": "string", "description": "Shown as Authorization: Bearer."},
    "refresh_token": {"type": "string", "description": "Good once, for the next tokens."},
    "token_type": {"const": "Bearer"},
    "expires_in": {"type": "integer", "minimum": 1, "description": "Seconds that the access token is good for."}
  }
}) },
{ "password_change", J({
  "type": "object",
  "examples": [{"old_password": "Zwoelf Boxkaempfer jagen Igel", "new_password": "Igel jagen zwoelf Boxkaempfer"}],
  "required": ["old_password", "new_password"],
  "additionalProperties": false,
  "properties": {
    "old_password": {"type": "string", "minLength": 1, "maxLength": 1024},
    "new_password": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "At least 15 characters, and nothing anybody would guess."}
  }
}) },
{ "person", J({
  "type": "object",
  "required": ["id", "email", "display_name", "is_platform_admin", "memberships", "created_at", "last_sign_in_at", "has_password"],
  "properties": {
    "id": {"type": "string", "format": "uuid"},
    "email": {"type": "string"},
    "display_name": {"type": "string"},
    "is_platform_admin": {"type": "boolean"},
    "memberships": {"type": "array", "items": {
      "type": "object",
      "required": ["account", "name", "role"],
      "properties": {
        "account": {"type": "string"},
        "name": {"type": "string"},
        "role": {"type": "string"}
      }
    }},
    "created_at": {"type": "string", "format": "date-time"},
    "last_sign_in_at": {"type": ["string", "null"], "format": "date-time"},
    "has_password": {"type": "boolean"}
  }
}) },
{ "sign_in_page", J({
  "type": "object",
  "required": ["data", "next"],
  "properties": {
    "data": {"type": "array", "items": {
      "type": "object",
      "required": ["id", "address", "user_agent", "created_at", "last_used_at", "expires_at", "current"],
      "properties": {
        "id": {"type": "string", "format": "uuid"},
        "address": {"type": "string"},
        "user_agent": {"type": "string"},
        "created_at": {"type": "string", "format": "date-time"},
        "last_used_at": {"type": "string", "format": "date-time"},
        "expires_at": {"type": "string", "format": "date-time"},
        "current": {"type": "boolean", "description": "The one that this access token belongs to."}
      }
    }},
    "next": {"type": ["string", "null"]}
  }
}) },
{ "agent", J({
  "type": "object",
  "required": ["type", "name", "display_name"],
  "properties": {
    "type": {"type": "string"},
    "name": {"type": "string"},
    "display_name": {"type": "string"}
  }
}) },
{ "usage", J({
  "type": "object",
  "required": ["input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "cost_usd", "estimated"],
  "properties": {
    "input_tokens": {"type": "integer", "minimum": 0, "description": "The whole input."},
    "output_tokens": {"type": "integer", "minimum": 0, "description": "Includes reasoning_tokens."},
    "cached_input_tokens": {"type": "integer", "minimum": 0, "description": "A part of input_tokens."},
    "reasoning_tokens": {"type": "integer", "minimum": 0},
    "cost_usd": {"type": ["number", "null"], "description": "null where no price is known."},
    "estimated": {"type": "boolean", "description": "The provider gave no figures; these were counted here."}
  }
}) },
{ "tool_call", J({
  "type": "object",
  "required": ["id", "name", "arguments", "ok", "summary"],
  "properties": {
    "id": {"type": "string"},
    "name": {"type": "string"},
    "arguments": {},
    "ok": {"type": "boolean"},
    "summary": {"type": ["string", "null"]}
  }
}) },
{ "citation", J({
  "type": "object",
  "required": ["n", "title", "url", "document_id", "quote"],
  "properties": {
    "n": {"type": "integer", "minimum": 1},
    "title": {"type": ["string", "null"]},
    "url": {"type": ["string", "null"]},
    "document_id": {"type": ["string", "null"]},
    "quote": {"type": ["string", "null"]}
  }
}) },
{ "finish_reason", J({
  "type": "string",
  "enum": ["stop", "length", "tool_calls", "content_filter", "cancelled", "error"]
}) },
{ "chat_reply", J({
  "type": "object",
  "required": ["session_key", "turn_id", "message_id", "reply", "agent", "model", "usage", "tool_calls", "citations", "finish_reason", "latency_ms"],
  "properties": {
    "session_key": {"type": "string"},
    "turn_id": {"type": "string", "format": "uuid"},
    "message_id": {"type": "string", "format": "uuid"},
    "reply": {"type": "string"},
    "agent": {"$ref": "#/components/schemas/agent"},
    "model": {"type": ["string", "null"], "description": "provider:model that answered."},
    "usage": {"$ref": "#/components/schemas/usage"},
    "tool_calls": {"type": "array", "items": {"$ref": "#/components/schemas/tool_call"}},
    "citations": {"type": "array", "items": {"$ref": "#/components/schemas/citation"}},
    "finish_reason": {"$ref": "#/components/schemas/finish_reason"},
    "latency_ms": {"type": "integer", "minimum": 0}
  }
}) },
{ "chat_events", J({
  "type": "string",
  "description": "Server-sent events, one JSON object per data line, id: {turn_id}:{n} with n increasing. session {session_key, turn_id, agent} comes at once; delta {text} as soon as the model says it; tool_call {id, name, arguments} and tool_result {id, name, ok, summary}; message {message_id, reply, finish_reason, citations}; usage; done {} when the turn is durable; error with a problem object ends the stream. Lines that begin with a colon are heartbeats."
}) },
{ "turn", J({
  "type": "object",
  "required": ["turn_id", "session_key", "state", "reply"],
  "description": "While it runs only the required members are there.",
  "properties": {
    "turn_id": {"type": "string", "format": "uuid"},
    "session_key": {"type": ["string", "null"]},
    "state": {"enum": ["running", "completed", "failed", "cancelled"]},
    "message_id": {"type": "string", "format": "uuid"},
    "reply": {"type": ["string", "null"]},
    "agent": {"$ref": "#/components/schemas/agent_name"},
    "model": {"type": ["string", "null"]},
    "usage": {"$ref": "#/components/schemas/usage"},
    "tool_calls": {"type": "array", "items": {"$ref": "#/components/schemas/tool_call"}},
    "citations": {"type": "array", "items": {"$ref": "#/components/schemas/citation"}},
    "finish_reason": {"$ref": "#/components/schemas/finish_reason"},
    "error": {"type": ["string", "null"]},
    "latency_ms": {"type": "integer", "minimum": 0},
    "started_at": {"type": "string", "format": "date-time"},
    "finished_at": {"type": "string", "format": "date-time"}
  }
}) },
{ "credential_drill", J({
  "type": "object",
  "examples": [{"fault": "429", "agent": "sales/human_health"}],
  "required": ["fault", "agent"],
  "additionalProperties": false,
  "properties": {
    "fault": {"enum": ["429", "401", "500", "529", "slow", "cut"], "description": "slow: no byte comes for a second. cut: the answer breaks off before its first word."},
    "agent": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}/[a-z][a-z0-9_]{0,62}$", "examples": ["sales/human_health"]},
    "message": {"type": "string", "minLength": 1, "maxLength": 2000, "description": "What is said to it; default: a short question."}
  }
}) },
{ "turn_why", J({
  "type": "object",
  "required": ["turn_id", "status", "finish_reason", "error", "recorded", "rounds", "account_from", "agent_from", "model_wanted", "model_used", "model_rule", "strategy", "drill", "limit", "candidates", "candidates_more", "attempts", "attempts_more"],
  "properties": {
    "turn_id": {"type": "string", "format": "uuid"},
    "status": {"enum": ["running", "completed", "failed", "cancelled"]},
    "finish_reason": {"oneOf": [{"$ref": "#/components/schemas/finish_reason"}, {"type": "null"}]},
    "error": {"type": ["string", "null"]},
    "recorded": {"type": "boolean", "description": "false: nothing was, since it runs still, was lost with its worker, or is of an older version."},
    "rounds": {"type": "integer", "minimum": 0, "description": "How often the model was asked: tools need several."},
    "account_from": {"enum": ["hot", "warm", "cold", null], "description": "Which tier of the cache had the account."},
    "agent_from": {"enum": ["hot", "warm", "cold", null], "description": "Which tier had the agent's configuration."},
    "model_wanted": {"type": ["string", "null"]},
    "model_used": {"type": ["string", "null"]},
    "model_rule": {"type": ["string", "null"], "description": "How the one became the other. agent: it is the agent's own; default: its provider has no key, so the next of default_models."},
    "strategy": {"type": ["string", "null"], "description": "How credentials were chosen; null: there was nothing to choose from."},
    "drill": {"type": ["string", "null"], "description": "The fault that was injected on purpose."},
    "limit": {"oneOf": [{"$ref": "#/components/schemas/why_limit"}, {"type": "null"}]},
    "candidates": {"type": "array", "items": {"$ref": "#/components/schemas/why_candidate"}, "description": "The keys there were, as they were when the last one was chosen."},
    "candidates_more": {"type": "integer", "minimum": 0, "description": "So many were not kept."},
    "attempts": {"type": "array", "items": {"$ref": "#/components/schemas/why_attempt"}},
    "attempts_more": {"type": "integer", "minimum": 0}
  }
}) },
{ "why_limit", J({
  "type": "object",
  "description": "The tightest limit of the caller after this turn.",
  "required": ["name", "limit", "remaining", "reset_s"],
  "properties": {
    "name": {"type": "string"},
    "limit": {"type": "integer"},
    "remaining": {"type": "integer"},
    "reset_s": {"type": "integer"}
  }
}) },
{ "why_candidate", J({
  "type": "object",
  "required": ["credential_id", "name", "state", "reason", "refused", "score", "load", "rpm_left", "tpm_left"],
  "properties": {
    "credential_id": {"type": ["string", "null"], "format": "uuid"},
    "name": {"type": ["string", "null"]},
    "state": {"enum": ["closed", "open", "half_open", "cooling", "out", null], "description": "Of its breaker."},
    "reason": {"type": ["string", "null"], "description": "Why it is not closed: failures, limited, denied, exhausted, operator, slot."},
    "refused": {"type": ["string", "null"], "description": "Why it could not be asked, such as tried, cooling, out, rpm; null: it could."},
    "score": {"type": ["number", "null"], "description": "The greatest is asked."},
    "load": {"type": ["number", "null"], "description": "The greatest share used of any of its limits, 0 to 1."},
    "rpm_left": {"type": ["integer", "null"], "description": "Requests left of its minute; null: not limited."},
    "tpm_left": {"type": ["integer", "null"]}
  }
}) },
{ "why_attempt", J({
  "type": "object",
  "required": ["round", "source", "credential_id", "name", "outcome", "error", "status", "ms", "input_tokens", "cached_input_tokens", "output_tokens", "injected"],
  "properties": {
    "round": {"type": "integer", "minimum": 1},
    "source": {"enum": ["none", "environment", "account", "platform"], "description": "Whose key: none was needed, that of the server's environment, the account's, the platform's."},
    "credential_id": {"type": ["string", "null"], "format": "uuid"},
    "name": {"type": ["string", "null"]},
    "outcome": {"enum": ["ok", "limit", "denied", "exhausted", "no_model", "server", "caller", "abandoned"]},
    "error": {"type": ["string", "null"]},
    "status": {"type": ["integer", "null"], "description": "Of the provider's answer; null: there was none."},
    "ms": {"type": "integer", "minimum": 0},
    "input_tokens": {"type": "integer", "minimum": 0},
    "cached_input_tokens": {"type": "integer", "minimum": 0},
    "output_tokens": {"type": "integer", "minimum": 0},
    "injected": {"type": "boolean", "description": "The fault of a drill: nobody was asked."}
  }
}) },
{ "agent_name", J({
  "type": "object",
  "required": ["type", "name"],
  "properties": {
    "type": {"type": "string"},
    "name": {"type": "string"}
  }
}) },
{ "message", J({
  "type": "object",
  "required": ["id", "role", "content", "created_at", "turn_id", "agent"],
  "description": "What the agent said has the further members.",
  "properties": {
    "id": {"type": "string", "format": "uuid"},
    "turn_id": {"type": "string", "format": "uuid"},
    "role": {"enum": ["user", "assistant"]},
    "content": {"type": "string"},
    "created_at": {"type": "string", "format": "date-time"},
    "agent": {"$ref": "#/components/schemas/agent_name"},
    "model": {"type": ["string", "null"]},
    "status": {"enum": ["completed", "failed", "cancelled"]},
    "finish_reason": {"$ref": "#/components/schemas/finish_reason"},
    "tool_calls": {"type": "array", "items": {"$ref": "#/components/schemas/tool_call"}},
    "citations": {"type": "array", "items": {"$ref": "#/components/schemas/citation"}},
    "rating": {"enum": [1, -1, null]},
    "caller": {"type": "object", "required": ["kind", "id"], "description": "In transcripts of the management API, of what was asked: who asked it.", "properties": {
      "kind": {"enum": ["user", "api_key", "widget_key"]},
      "id": {"type": ["string", "null"], "format": "uuid"}
    }}
  }
}) },
{ "message_page", J({
  "type": "object",
  "required": ["data", "next"],
  "properties": {
    "data": {"type": "array", "items": {"$ref": "#/components/schemas/message"}},
    "next": {"type": ["string", "null"], "description": "Give it as after to get the next page; null: this was the last."}
  }
}) },
{ "feedback", J({
  "type": "object",
  "required": ["rating"],
  "additionalProperties": false,
  "properties": {
    "rating": {"enum": [1, -1]},
    "comment": {"type": ["string", "null"], "maxLength": 4000}
  }
}) },
{ "handoff", J({
  "type": "object",
  "required": ["session_key", "handoff_at"],
  "properties": {
    "session_key": {"type": "string"},
    "handoff_at": {"type": "string", "format": "date-time", "description": "Since when a person is asked for."}
  }
}) },
{ "feedback_stored", J({
  "type": "object",
  "required": ["message_id", "rating", "comment"],
  "properties": {
    "message_id": {"type": "string", "format": "uuid"},
    "rating": {"enum": [1, -1]},
    "comment": {"type": ["string", "null"]}
  }
}) },
{ "audit_entry", J({
  "type": "object",
  "required": ["seq", "id", "at", "action", "actor", "address", "request_id", "object", "before", "after", "previous", "hash"],
  "description": "A change.  hash is over all of it and over the hash of the entry before.",
  "properties": {
    "seq": {"type": "integer", "minimum": 1, "description": "Its place in the account's record, without gaps."},
    "id": {"type": "string", "format": "uuid"},
    "at": {"type": "string", "format": "date-time"},
    "action": {"type": "string"},
    "actor": {
      "type": "object",
      "required": ["kind", "id", "name"],
      "properties": {
        "kind": {"enum": ["user", "api_key", "cli", "system"]},
        "id": {"type": ["string", "null"]},
        "name": {"type": ["string", "null"]}
      }
    },
    "address": {"type": ["string", "null"], "description": "From where."},
    "request_id": {"type": ["string", "null"]},
    "object": {
      "type": "object",
      "required": ["kind", "id"],
      "properties": {
        "kind": {"type": ["string", "null"]},
        "id": {"type": ["string", "null"]}
      }
    },
    "before": {"type": ["object", "null"], "description": "What was, with secrets masked."},
    "after": {"type": ["object", "null"], "description": "What is, with secrets masked."},
    "previous": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"}
  }
}) },
{ "audit_page", J({
  "type": "object",
  "required": ["data", "next"],
  "properties": {
    "data": {"type": "array", "items": {"$ref": "#/components/schemas/audit_entry"}},
    "next": {"type": ["string", "null"], "description": "Give it as after to get the next page; null: this was the last."}
  }
}) },
{ "status", J({
  "type": "object",
  "required": ["status"],
  "properties": {
    "status": {"enum": ["ok", "ready"]}
  }
}) },
{ "openapi", J({
  "type": "object",
  "required": ["openapi", "info", "paths"],
  "properties": {
    "openapi": {"type": "string"},
    "info": {"type": "object"},
    "paths": {"type": "object"}
  }
}) },
{ "problem", J({
  "type": "object",
  "required": ["type", "title", "status", "detail", "request_id"],
  "properties": {
    "type": {"type": "string", "format": "uri-reference", "description": "/problems/{name}, served as a page."},
    "title": {"type": "string"},
    "status": {"type": "integer", "minimum": 400, "maximum": 599},
    "detail": {"type": "string"},
    "request_id": {"type": "string"},
    "errors": {"type": "array", "items": {
      "type": "object",
      "required": ["pointer", "detail"],
      "properties": {
        "pointer": {"type": "string", "format": "json-pointer"},
        "detail": {"type": "string"}
      }
    }}
  }
}) },
};
/* clang-format on */

const size_t schemas_count = sizeof(schemas) / sizeof(schemas[0]);

const char *
schema_json(const char *name)
{
	for (size_t i = 0; i < schemas_count; i++)
		if (strcmp(schemas[i].name, name) == 0)
			return schemas[i].json;
	return NULL;
}
