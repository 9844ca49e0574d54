export { maskTools, type Masking } from './mask.js';
