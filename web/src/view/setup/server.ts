/** The address of the server of a page as firmware takes it: the port is always named. */
export function serverOf(page: { protocol: string; hostname: string; port: string }): string {
  const plain = page.protocol === 'http:';
  return `${plain ? 'ws' : 'wss'}://${page.hostname}:${page.port || (plain ? 80 : 443)}`;
}

/** Whether an address is that of the machine itself, where no board finds the server. */
export const isLoopback = (server: string): boolean =>
  /^wss?:\/\/(localhost|127\.[\d.]+|\[::1\])(:|$)/u.test(server);

/** A word as a shell takes it. */
export const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
