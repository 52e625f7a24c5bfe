// Jest's globalTeardown: a module with one default export.
export { stopServices as default } from './services.mjs';
