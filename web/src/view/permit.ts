import type { Member, RoomState } from './types';

// The part of the server's permission matrix that decides what is offered.
// The server decides what is done.
const ranks = ['member', 'moderator', 'admin', 'owner'];
export const least = {
  deleteAny: 'moderator',
  invites: 'moderator',
  kick: 'moderator',
  mute: 'moderator',
  ban: 'moderator',
  mentionRoom: 'moderator',
  pin: 'member',
  update: 'admin',
  hooks: 'admin',
  previews: 'admin',
  screening: 'admin',
  history: 'admin',
  visibility: 'admin',
  archive: 'admin',
  setRole: 'admin',
  handOver: 'owner',
  retention: 'owner',
  remove: 'owner',
} as const;

/** Where a role stands; who is not in a room stands below all. */
export const rank = (role: string | undefined): number => ranks.indexOf(role ?? '');

/** Whether the user may do this in the room. */
export function may(room: RoomState, what: keyof typeof least | 'add' | 'send'): boolean {
  const afterArchive = ['kick', 'mute', 'ban', 'archive', 'setRole', 'handOver', 'retention', 'remove'];
  if (room.archived && !afterArchive.includes(what)) return false;
  if (what === 'send') return !room.muted_until || Date.parse(room.muted_until) <= Date.now();
  if (room.kind === 'direct') return ['mentionRoom', 'pin', 'previews'].includes(what);
  return what === 'add' || rank(room.role) >= rank(least[what]);
}

/** Whether the user stands above a member, as acting upon them needs. */
export const above = (room: RoomState, m: Member): boolean => rank(room.role) > rank(m.role);
