import { Component, type ReactNode } from 'react';
import { Button } from './button.tsx';

/** The last net: a fault of the console itself shows what to do, not a blank page. */
export class Broken extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return (
      <main className="alone">
        <h1>The console broke</h1>
        <p>
          That is a fault of ours; the gateway itself goes on. Load the page again, and report this if it
          comes back:
        </p>
        <p className="mono">{this.state.error.message}</p>
        <Button look="solid" onClick={() => location.reload()}>
          Load again
        </Button>
      </main>
    );
  }
}
