import type { MintedLink } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Takeaway } from '../../../design/copy.tsx';
import { Dialog, DialogActions } from '../../../design/dialog.tsx';
import { Moment } from '../../../design/time.tsx';

/** A link that lets whoever opens it choose a password: shown this once. */
export function LinkToSend({ of, what, onClose }: { of: MintedLink; what: string; onClose: () => void }) {
  return (
    <Dialog title="Send them this link" onClose={onClose}>
      <p>
        Whoever opens it first chooses the password, so send it to them alone. It works once and ends{' '}
        <Moment at={of.expires_at} />. It is not shown again.
      </p>
      <Takeaway text={of.link} what={what} />
      <DialogActions>
        <Button look="solid" onClick={onClose}>
          Done
        </Button>
      </DialogActions>
    </Dialog>
  );
}
