/** What to do where nothing can be added by hand here. */
export function InTheFile({ what }: { what: 'upstreams' | 'providers' }) {
  return (
    <>
      Add one to the configuration file, under <code>{what}</code>, and restart the gateway.
    </>
  );
}
