// The vendors' own libraries, with nothing but base URL and key set:
// node sdk.mjs TOOLS BASE_URL KEY ACCOUNT MOCK_URL
// The agents of ACCOUNT: digital_expert/product_expert has the model mock-echo,
// sales/human_health mock-tool, rag/regulatory_docs mock-500,
// research/clinical_research mock-echo and one request a minute, sales/animal_health
// mock-words-4 with the embedding model.
import { createRequire } from 'node:module';
import path from 'node:path';
import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';

const [tools, base, key, account, mock] = process.argv.slice(2);
const load = async (name) => import(pathToFileURL(createRequire(path.join(tools, 'x.js')).resolve(name)).href);
const tell = (one) => console.log(JSON.stringify(one));

async function check(name, run) {
	try {
		await run();
		tell({ name, ok: true });
	} catch (e) {
		tell({ name, ok: false, why: String(e.stack).slice(0, 900) });
	}
}

async function rejects(promise, kind, status, code) {
	const e = await promise.then(() => null, (e) => e);
	assert.ok(e instanceof kind, `${e?.constructor?.name}: ${e}`);
	assert.equal(e.status, status);
	if (code !== undefined)
		assert.equal(e.code, code);
	assert.ok(e.requestID);
	return e;
}

const { default: OpenAI } = await load('openai');
const baseURL = `${base}/accounts/${account}/v1`;
const client = new OpenAI({ baseURL, apiKey: key });
const once = new OpenAI({ baseURL, apiKey: key, maxRetries: 0 });
const echo = 'digital_expert/product_expert', caller = 'sales/human_health';
const messages = [{ role: 'user', content: 'canary 4711' }];
const weather = {
	type: 'function', function: {
		name: 'get_weather', description: 'The weather of a place.',
		parameters: { type: 'object', properties: { place: { type: 'string' } } },
	},
};

await check('openai: models', async () => {
	const ids = [];
	for await (const model of client.models.list())
		ids.push(model.id);
	assert.ok(ids.includes(echo) && ids.includes(caller), ids);
	assert.equal((await client.models.retrieve(echo)).id, echo);
	await rejects(once.models.retrieve('sales/none'), OpenAI.NotFoundError, 404, 'model_not_found');
});

await check('openai: chat', async () => {
	const got = await client.chat.completions.create({ model: echo, messages });
	assert.match(got.choices[0].message.content, /canary 4711/);
	assert.equal(got.choices[0].finish_reason, 'stop');
	assert.ok(got.usage.prompt_tokens > 0 && got.usage.completion_tokens > 0);
	assert.ok(got._request_id);
});

await check('openai: stream', async () => {
	const stream = await client.chat.completions.create({
		model: 'sales/animal_health', messages, stream: true, stream_options: { include_usage: true },
	});
	let said = '', usage = null, finish = null;
	for await (const chunk of stream) {
		said += chunk.choices[0]?.delta?.content ?? '';
		finish = chunk.choices[0]?.finish_reason ?? finish;
		usage = chunk.usage ?? usage;
	}
	assert.ok(said.length > 0);
	assert.equal(finish, 'stop');
	assert.ok(usage.total_tokens > 0);
});

await check('openai: the stream helper', async () => {
	const stream = client.chat.completions.stream({ model: 'sales/animal_health', messages });
	const pieces = [];
	stream.on('content', (piece) => pieces.push(piece));
	const got = await stream.finalChatCompletion();
	assert.equal(pieces.join(''), got.choices[0].message.content);
});

await check('openai: a stream that is left', async () => {
	const stream = await client.chat.completions.create({ model: 'sales/animal_health', messages, stream: true });
	for await (const chunk of stream) {
		assert.ok(chunk.id);
		break;
	}
});

await check('openai: tools by hand', async () => {
	const first = await client.chat.completions.create({
		model: caller, messages, tools: [weather], tool_choice: 'required',
	});
	const message = first.choices[0].message;
	assert.equal(first.choices[0].finish_reason, 'tool_calls');
	assert.equal(message.tool_calls[0].function.name, 'get_weather');
	const second = await client.chat.completions.create({
		model: caller, tools: [weather],
		messages: [...messages, message, { role: 'tool', tool_call_id: message.tool_calls[0].id, content: 'rain' }],
	});
	assert.equal(second.choices[0].finish_reason, 'stop');
});

await check('openai: tools in a stream', async () => {
	const stream = client.chat.completions.stream({
		model: caller, messages, tools: [weather], tool_choice: 'required',
	});
	const got = await stream.finalChatCompletion();
	assert.equal(got.choices[0].message.tool_calls[0].function.name, 'get_weather');
});

await check('openai: runTools', async () => {
	let called = 0;
	const runner = client.chat.completions.runTools({
		model: caller, messages, tool_choice: { type: 'function', function: { name: 'get_weather' } },
		tools: [{
			type: 'function', function: {
				...weather.function, parse: JSON.parse, function: () => {
					called++;
					return 'rain';
				},
			},
		}],
	});
	await runner.done();
	assert.equal(called, 1);
});

await check('openai: errors', async () => {
	const stranger = new OpenAI({ baseURL, apiKey: 'sk-wrong', maxRetries: 0 });
	await rejects(stranger.models.list(), OpenAI.AuthenticationError, 401, 'invalid_api_key');
	await rejects(stranger.chat.completions.create({ model: echo, messages }), OpenAI.AuthenticationError, 401);
	await rejects(once.chat.completions.create({ model: 'gpt-4o', messages }), OpenAI.NotFoundError, 404, 'model_not_found');
	const e = await rejects(once.chat.completions.create({ model: echo, messages, n: 2 }), OpenAI.BadRequestError, 400);
	assert.equal(e.param, 'n');
	await rejects(once.chat.completions.create({ model: 'rag/regulatory_docs', messages }), OpenAI.InternalServerError, 502);
	const long = [{ role: 'user', content: 'x'.repeat(1200000) }];
	const large = await rejects(once.chat.completions.create({ model: echo, messages: long }), OpenAI.APIError, 413);
	assert.equal(large.code, 'request_too_large');
});

await check('openai: a limit', async () => {
	const ask = () => once.chat.completions.create({ model: 'research/clinical_research', messages });
	await ask();
	const e = await rejects(ask(), OpenAI.RateLimitError, 429, 'rate_limit_exceeded');
	assert.ok(Number(e.headers.get('retry-after')) > 0);
	assert.equal(e.headers.get('x-ratelimit-limit-requests'), '1');
});

await check('openai: embeddings', async () => {
	const input = ['a', 'bcd'];
	const got = await client.embeddings.create({ model: 'sales/animal_health', input });
	assert.deepEqual(got.data.map((d) => d.index), [0, 1]);
	// One vector for one text, each of length 1.
	for (const [i, text] of input.entries()) {
		const alone = await client.embeddings.create({ model: 'sales/animal_health', input: text });
		assert.deepEqual(got.data[i].embedding, alone.data[0].embedding);
		assert.ok(Math.abs(Math.hypot(...got.data[i].embedding) - 1) < 1e-4);
	}
	assert.notDeepEqual(got.data[0].embedding, got.data[1].embedding);
	assert.ok(got.usage.prompt_tokens > 0);
	await rejects(once.embeddings.create({ model: echo, input }), OpenAI.BadRequestError, 400, 'unsupported');
});

await check('openai: responses', async () => {
	const got = await client.responses.create({ model: echo, input: 'canary 88', instructions: 'Be brief.' });
	assert.match(got.output_text, /canary 88/);
	assert.equal(got.status, 'completed');
	const stream = client.responses.stream({ model: 'sales/animal_health', input: 'Hello' });
	let said = '';
	stream.on('response.output_text.delta', (event) => { said += event.delta; });
	assert.equal((await stream.finalResponse()).output_text, said);
	await rejects(once.responses.create({ model: echo, input: 'x', previous_response_id: 'resp_1' }),
		OpenAI.BadRequestError, 400, 'unsupported_parameter');
});

// The judge of the tests' own provider: is what it speaks Anthropic's format?
const { default: Anthropic } = await load('@anthropic-ai/sdk');
const claude = new Anthropic({ baseURL: mock, apiKey: 'sk-ant-x', maxRetries: 0 });
const said = { max_tokens: 100, messages };
const tool = { name: 'get_weather', description: 'x', input_schema: weather.function.parameters };

await check('anthropic: chat of the mock', async () => {
	const got = await claude.messages.create({ ...said, model: 'mock-echo' });
	assert.match(got.content[0].text, /canary 4711/);
	assert.equal(got.stop_reason, 'end_turn');
	assert.ok(got.usage.input_tokens > 0);
});

await check('anthropic: stream of the mock', async () => {
	const stream = claude.messages.stream({ ...said, model: 'mock-words-4' });
	let text = '';
	stream.on('text', (piece) => { text += piece; });
	const got = await stream.finalMessage();
	assert.equal(got.content[0].text, text);
});

await check('anthropic: tools of the mock', async () => {
	const stream = claude.messages.stream({ ...said, model: 'mock-tool', tools: [tool] });
	const got = await stream.finalMessage();
	const call = got.content.find((block) => block.type === 'tool_use');
	assert.equal(got.stop_reason, 'tool_use');
	assert.equal(call.name, 'get_weather');
	const next = await claude.messages.create({
		...said, model: 'mock-tool', tools: [tool], messages: [...messages,
			{ role: 'assistant', content: got.content },
			{ role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'rain' }] }],
	});
	assert.equal(next.stop_reason, 'end_turn');
});

await check('anthropic: errors of the mock', async () => {
	for (const [status, kind] of [[401, Anthropic.AuthenticationError], [429, Anthropic.RateLimitError],
		[500, Anthropic.InternalServerError], [529, Anthropic.InternalServerError]]) {
		const e = await claude.messages.create({ ...said, model: `mock-${status}` }).then(() => null, (e) => e);
		assert.ok(e instanceof kind, `${status}: ${e}`);
		assert.equal(e.status, status);
		assert.equal(e.error.type, 'error');
	}
	const cut = claude.messages.stream({ ...said, model: 'mock-words-9-error-3' });
	await assert.rejects(cut.finalMessage(), Anthropic.APIError);
});
