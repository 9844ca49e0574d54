import { registerHooks } from 'node:module';

// Lets Node run our TypeScript as it is: it strips types by itself, but looks for the `.js` that an import names.
registerHooks({
  resolve(specifier, context, next) {
    const isOurs = specifier.startsWith('.') && context.parentURL?.endsWith('.ts');
    return next(isOurs ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
});
