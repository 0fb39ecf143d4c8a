// What of the client is of use without the server, besides its first load: rooms and what stands in them, and where one
// writes. What is imported later and not named here is not there without a network.

/** the parts of the texts that this needs */
export const parts = [
  'device',
  'dialog',
  'files',
  'forward',
  'home',
  'later',
  'moderation',
  'pin',
  'poll',
  'preview',
  'reaction',
  'refused',
  'saved',
  'sections',
  'share',
  'thread',
  'typed',
  'usergroup',
];

export const offline = new RegExp(
  [
    '/src/(?:state/|platform/|view/(?:share/|shell/(?!OpenRooms|Missing)))',
    '/src/view/room/(?!leaving|Linked|Answers|chartcommand|emojidata)',
    '/src/view/(?:Broken|saved/saving|later/planning)\\.',
    '/src/view/(?:moderation/(?:Flagged|decided)|panel/(?:RoomPanel|Thread))\\.',
    '/src/view/dialog/(?:Keys|Overlays|ToDate|UserCard)\\.',
    '/src/view/files/(?:DropHint|MessageFiles|Recorder|Tray)\\.',
    `/src/text/(?:(?:${parts.join('|')})/)?[\\w-]+\\.json$`,
  ].join('|'),
);
