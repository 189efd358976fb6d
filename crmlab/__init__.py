"""Customer relationship analytics for banks: `import crmlab as crm`, and the table of contents below."""
