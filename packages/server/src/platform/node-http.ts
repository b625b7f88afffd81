/**
 * `node:http` as `require` gives it. Importing it reads each of its exports once, for the module's face to ESM, and some of them (`WebSocket`,
 * `MessageEvent`) load the whole of Node's undici: a twentieth of the time that a start takes. Its types cost nothing and are imported from it.
 */
export const { createServer, request, STATUS_CODES } = process.getBuiltinModule('node:http');
