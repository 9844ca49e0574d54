import { html } from './html.js';
import { renderMessage } from './layout.js';

/** Shown instead of any page until a key came; the gateway then keeps the key in a cookie. */
export const LOGIN_PAGE: string = renderMessage(
  'Your API key, please',
  html`<div class="card pad">
    <form method="get">
      <label for="key">API key</label>
      <input
        id="key"
        name="key"
        type="password"
        autocomplete="current-password"
        required
        autofocus
      />
      <button type="submit">Open</button>
    </form>
    <p class="soft small">
      The key stands in the terminal where Hammerline was started. Programs send it as
      <code>Authorization: Bearer KEY</code>.
    </p>
  </div>`,
);
