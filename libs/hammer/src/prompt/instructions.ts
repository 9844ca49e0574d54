/** What a Hammer model is told to do. The literal texts are those that the models were trained on. */
const task = `You are a tool calling assistant. In order to complete the user's request, you need to select one or more appropriate tools from the following tools and fill in the correct values for the tool parameters. Your specific tasks are:
1. Make one or more function/tool calls to meet the request based on the question.
2. If none of the function can be used, point it out and refuse to answer.
3. If the given question lacks the parameters required by the function, also point it out.`;

const roles = `

The following are characters that may interact with you
1. user: Provides query or additional information.
2. tool: Returns the results of the tool calling.`;

const format = `The output MUST strictly adhere to the following JSON format, and NO other text MUST be included.
The example format is as follows. Please make sure the parameter type is correct. If no function call is needed, please directly output an empty list '[]'
\`\`\`
[
    {"name": "func_name1", "arguments": {"argument1": "value1", "argument2": "value2"}},
    ... (more tool calls as required)
]
\`\`\``;

export function section(title: string, body: string): string {
  return `[BEGIN OF ${title}]\n${body}\n[END OF ${title}]\n\n`;
}

export function toolsSection(tools: string): string {
  return section('AVAILABLE TOOLS', tools);
}

export function querySection(query: string): string {
  return section('QUERY', query);
}

const taskSection = (text: string): string => section('TASK INSTRUCTION', text);
const formatSection = (text: string): string => section('FORMAT INSTRUCTION', text);

/** The sections before and behind the tools, by version. Line ends within the bodies differ too. */
export const instructions = {
  /** 1.0 and 2.0, as trained and served. */
  v1: {
    task: taskSection(`${task}\n`),
    /** The contents of system messages, each behind a line end. */
    taskWith: (system: string): string => taskSection(`${task}\n${system}`),
    format: formatSection(`\n${format}\n`),
  },
  /** 1.0 and 2.0, as tested. */
  tight: { task: taskSection(task), format: formatSection(format) },
  /** 2.1: it explains who speaks in a conversation. */
  v2: { task: taskSection(`${task}${roles}\n`), format: formatSection(`\n${format}\n`) },
  /** 2.1's chat template, which calls the format a task. */
  template: { task: taskSection(`${task}${roles}\n`), format: taskSection(`${format}\n`) },
  /** This product's own: a small model on a CPU reads slowly. */
  compact: {
    task: taskSection(
      'Select the right tool for the request and fill in the parameter values. If no tool fits, output [].',
    ),
    format: formatSection('[{"name": "func_name", "arguments": {"argument": "value"}}]'),
  },
} as const;

/** Puts a text between the three backticks that Hammer models write around an answer: the target text of training. */
export function fence(text: string): string {
  return `\`\`\`\n${text}\n\`\`\``;
}
