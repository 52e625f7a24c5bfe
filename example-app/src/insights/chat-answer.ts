// Reads the answer of a chat completion: which text, which usage, and whether it is what was asked for. Pure.
import { type Analysis, EngineError, type InsightText, type Usage } from './engine.js';

const LONGEST_TEXT = 2000;
const MOST_TEXTS = 10;

type Fields = Readonly<Record<string, unknown>>;

/** @throws EngineError; with the usage, where that can be read, because it was spent */
export function analysisOf(body: string, model: string): Analysis {
  const answer = parsed(body, {});
  const usage = usageOf(answer, model);
  const spent = usage === undefined ? {} : { usage };
  const choice: unknown = fieldsOf(answer)?.['choices'];
  const message = fieldsOf(fieldsOf(Array.isArray(choice) ? choice[0] : undefined)?.['message']);
  const content = message?.['content'];
  if (typeof content !== 'string') throw wrongShape(spent);
  const text = textOf(parsed(content, spent));
  if (text === undefined || usage === undefined) throw wrongShape(spent);
  return { text, usage };
}

type Spent = EngineError['details'];

function wrongShape(spent: Spent): EngineError {
  return new EngineError('ai_wrong_shape', 'The answer of the AI service is not what was asked for.', spent);
}

function parsed(json: string, spent: Spent): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    throw new EngineError('ai_broken_json', 'The answer of the AI service is not JSON.', spent);
  }
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** Undefined where it is not told: what is not counted must not pass as free. */
function usageOf(answer: unknown, model: string): Usage | undefined {
  const usage = fieldsOf(fieldsOf(answer)?.['usage']);
  const [inputTokens, outputTokens] = [usage?.['prompt_tokens'], usage?.['completion_tokens']];
  return isCount(inputTokens) && isCount(outputTokens) ? { model, inputTokens, outputTokens } : undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function textOf(value: unknown): InsightText | undefined {
  const { summary, strengths, concerns, suggestions } = fieldsOf(value) ?? {};
  if (!isText(summary) || !isList(strengths) || !isList(concerns) || !isList(suggestions)) return undefined;
  // Whatever else it has said goes no further.
  return { summary, strengths, concerns, suggestions };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '' && value.length <= LONGEST_TEXT;
}

function isList(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= MOST_TEXTS && value.every(isText);
}
