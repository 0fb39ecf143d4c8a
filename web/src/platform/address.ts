// Where this page was opened, and where it works.

const here = /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/**
 * The address where this page works, if it cannot where it was opened: by plain http,
 * of a server that people reach by https. There the browser keeps no session, and the
 * server takes no connection. On the machine of the server itself both work.
 */
export function rightAddress(
  server: string | undefined,
  page: Pick<Location, 'protocol' | 'hostname' | 'pathname' | 'search' | 'hash'> = location,
): string | undefined {
  if (!server?.startsWith('https:') || page.protocol !== 'http:' || here.test(page.hostname)) return undefined;
  return new URL(server).origin + page.pathname + page.search + page.hash;
}
