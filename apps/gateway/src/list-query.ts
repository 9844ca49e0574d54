import { RunFilter } from '#libs/contracts';
import { z } from 'zod';

/** The query of `GET /v1/runs`: a page of the runs that fit. */
export const ListQuery = RunFilter.extend({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.uuid().toLowerCase().optional(),
  state: z.preprocess(byCommas, RunFilter.shape.state),
  callState: z.preprocess(byCommas, RunFilter.shape.callState),
});

function byCommas(list: unknown): unknown {
  return typeof list === 'string' ? list.split(',') : list;
}
