import { api } from '../../api/client.ts';

export interface Recording {
  id: string;
  upstream: string;
  terminal: string;
  user: { id: string; email: string | null };
  startedAt: string;
  /** Null while it goes on. */
  endedAt: string | null;
  bytes: number;
}

export const RECORDINGS = '/api/v1/recordings';
export const pathOfRecording = (id: string): string => `${RECORDINGS}/${encodeURIComponent(id)}`;
export const deleteRecording = (id: string): Promise<void> => api.delete(pathOfRecording(id));
