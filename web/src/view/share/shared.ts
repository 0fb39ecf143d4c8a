// What another app has shared with this one: the service worker keeps it until it is in a room, or not wanted.

const shelf = 'unhidra-shared'; // as in sw.js

export interface Shared {
  text: string;
  files: File[];
}

/** What was shared last; undefined: nothing. */
export async function takeShared(all: CacheStorage | undefined = globalThis.caches): Promise<Shared | undefined> {
  if (!(await all?.has(shelf))) return undefined;
  const cache = await all!.open(shelf);
  const said = await cache.match('/share');
  if (!said) return undefined;
  const text = await said.text();
  const files: File[] = [];
  for (const request of await cache.keys()) {
    if (!new URL(request.url).pathname.startsWith('/share/')) continue;
    const answer = await cache.match(request);
    if (!answer) continue;
    const type = answer.headers.get('Content-Type') ?? '';
    files.push(new File([await answer.blob()], decodeURIComponent(answer.headers.get('X-Name') ?? ''), { type }));
  }
  return { text, files };
}

export async function forgetShared(): Promise<void> {
  await globalThis.caches?.delete(shelf);
}
