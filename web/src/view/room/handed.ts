// Files on their way to where one writes in a room, which takes them when it is there.

const waiting = new Map<string, readonly File[]>();

export const handed = {
  put(room: string, files: readonly File[]): void {
    if (files.length) waiting.set(room, files);
  },
  take(room: string): readonly File[] {
    const files = waiting.get(room) ?? [];
    waiting.delete(room);
    return files;
  },
};
