/** haproxy as a plain reverse proxy: one thread, connections reused on both sides. */
export const haproxyConfig = (port: number, upstreamPort: number) => `
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  http-reuse always
frontend in
  bind 127.0.0.1:${port} backlog 4096
  default_backend behind
backend behind
  server upstream 127.0.0.1:${upstreamPort}
`;
