/** What a failed request says: one sentence, and what is wrong with which field. */
export interface Failure {
  text: string;
  fields: Record<string, string>;
}

export const noFailure: Failure = { text: '', fields: {} };
