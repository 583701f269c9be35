-- AlterTable
ALTER TABLE "users" ADD COLUMN     "recovery_generation" INTEGER;
