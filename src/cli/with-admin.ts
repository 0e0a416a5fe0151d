/** One call or several on the running server (or its data folder), closed in the end. */
import type { Admin } from '../ports.ts';

export async function withAdmin(open: () => Promise<Admin>, use: (admin: Admin) => Promise<void>): Promise<void> {
  const admin = await open();
  try {
    await use(admin);
  } finally {
    await admin.close();
  }
}
