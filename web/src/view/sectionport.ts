// What the views ask of the state behind the sections of the list of rooms.

/** A part of the list: its rooms, by their ids, and whether they are put away. */
export interface RoomGroup {
  readonly rooms: readonly string[];
  readonly closed?: boolean;
}

export interface RoomSection extends RoomGroup {
  readonly name: string;
}

/** How the user arranges their rooms, on all their devices. A room is in one part at most. */
export interface Arranged {
  readonly version: number;
  readonly favourites: RoomGroup;
  readonly sections: readonly RoomSection[];
}

export interface Sections {
  /**
   * Arranges the rooms otherwise, here at once. by is called anew with what another device has made of them meanwhile,
   * and changes nothing if it finds nothing to change. Fails if the server refuses it; all is then as it was.
   */
  change(by: (now: Arranged) => Arranged): Promise<void>;
}
