import { describe, expect, it } from 'vitest';
import { html, trusted } from './html.js';

const HOSTILE = `</p><script>alert('1')</script>" onload="x" &amp; '`;

describe('html', () => {
  it('escapes text, so that it reads the same and is no markup', () => {
    expect(html`<p>${'<b>&amp;</b>'}</p>`.markup).toBe('<p>&lt;b&gt;&amp;amp;&lt;/b&gt;</p>');
  });

  it('escapes what ends a quoted attribute', () => {
    const { markup } = html`<a title="${HOSTILE}" data-x="${HOSTILE}"></a>`;
    expect(markup.match(/["']/g)).toEqual(['"', '"', '"', '"']);
    expect(markup.match(/[<>]/g)).toEqual(['<', '>', '<', '>']);
  });

  it('takes templates in templates and lists of them as they are', () => {
    const items = ['a', '<b>'].map((item) => html`<li>${item}</li>`);
    const list = html`<ul>
      ${items}
    </ul>`;
    expect(html`${list}${[list]}`.markup).toBe(`${list.markup}${list.markup}`);
    expect(list.markup).toContain('<li>a</li><li>&lt;b&gt;</li>');
  });

  it('leaves nothing of an absent value, but keeps zero', () => {
    expect(html`[${undefined}${null}${false}${''}${0}]`.markup).toBe('[0]');
  });

  it('escapes an object that only looks like markup', () => {
    const forged = JSON.parse('{"markup":"<script>"}') as string;
    expect(() => html`${forged}`).toThrow(TypeError);
  });

  it('lets trusted markup through', () => {
    expect(html`${trusted('<br>')}`.markup).toBe('<br>');
  });
});
