import { useSyncExternalStore } from 'react';
import { Button } from '../../design/button.tsx';
import { Dialog, DialogActions } from '../../design/dialog.tsx';
import { Choice, SelectField, TextField } from '../../design/field.tsx';
import { changeLook, currentLook, LARGEST, onLook, SMALLEST, type Theme } from './look.ts';
import { SHORTCUTS } from './shortcuts.ts';

/** How terminals look in this browser, and the keys that are the page's own. */
export function LookDialog({ onClose }: { onClose: () => void }) {
  const look = useSyncExternalStore(onLook, currentLook);
  return (
    <Dialog title="Terminal settings" onClose={onClose}>
      <div className="pair">
        <TextField
          label="Font size"
          type="number"
          min={SMALLEST}
          max={LARGEST}
          value={look.fontSize}
          onChange={event => changeLook({ fontSize: event.target.valueAsNumber })}
        />
        <SelectField
          label="Theme"
          value={look.theme}
          onChange={event => changeLook({ theme: event.target.value as Theme })}
        >
          <option value="console">As the console</option>
          <option value="light">Light</option>
          <option value="dark">Dark</option>
        </SelectField>
      </div>
      <Choice
        label="Screen reader"
        help="Output is read out, and lines can be walked through with the arrow keys. Costs some speed."
        checked={look.screenReader}
        onChange={event => changeLook({ screenReader: event.target.checked })}
      />
      <div>
        <h3 id="terminal-keys">Keys</h3>
        <dl className="terminal-shortcuts" aria-labelledby="terminal-keys">
          {SHORTCUTS.map(([keys, does]) => (
            <div key={keys}>
              <dt>{keys}</dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
      </div>
      <DialogActions>
        <Button onClick={onClose}>Done</Button>
      </DialogActions>
    </Dialog>
  );
}
