// Jest's globalSetup: a module with one default export.
export { startServices as default } from './services.mjs';
