import { simulate } from './simulation/simulate.ts';
import { HONEST } from './simulation/sabotage.ts';
let db:any; await simulate(+process.argv[2]!, {...HONEST, database: n => (db=HONEST.database(n))});
for (const r of db.rows.values()) if (r.calls.some((c:any)=>c.id===process.argv[3])) console.log(r.run.id);
