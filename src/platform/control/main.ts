import { startControl } from '#platform/control/control.ts';
import { runProcess } from '#platform/process.ts';

runProcess(startControl);
