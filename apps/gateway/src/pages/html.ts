/** Markup that is safe to send as it is. Only `html` and `trusted` make it. */
export class Html {
  constructor(readonly markup: string) {}
}

/** What may stand in a template. `undefined`, `null` and `false` leave nothing behind. */
export type Content = Html | string | number | false | null | undefined | readonly Content[];

/**
 * A template whose every interpolated value is escaped, both as text and inside quoted attributes; other markup goes in
 * only as `Html`. This is the one place where text becomes markup. Attributes must be quoted, and no value may stand
 * inside a script, a style or the scheme of a URL, where escaping would not help.
 */
export function html(strings: TemplateStringsArray, ...values: Content[]): Html {
  return new Html(strings.reduce((all, string, index) => all + render(values[index - 1]) + string));
}

/** Markup of our own: constants in this program, never anything that came from outside. */
export function trusted(markup: string): Html {
  return new Html(markup);
}

function render(content: Content): string {
  if (content === undefined || content === null || content === false) return '';
  if (content instanceof Html) return content.markup;
  if (typeof content === 'string' || typeof content === 'number') return escape(String(content));
  return content.map(render).join('');
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
