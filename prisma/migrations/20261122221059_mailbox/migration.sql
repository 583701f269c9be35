-- AlterTable
ALTER TABLE "artifacts" ADD COLUMN     "generation" INTEGER;

-- AlterTable
ALTER TABLE "users" ADD COLUMN     "generation" INTEGER NOT NULL DEFAULT 0;

-- CreateTable
CREATE TABLE "letters" (
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "user_id" TEXT,
    "sealed" BYTEA,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),
    "queued_at" TIMESTAMPTZ(3),
    "sent_at" TIMESTAMPTZ(3),
    "failure" TEXT,
    "message" JSONB,

    CONSTRAINT "letters_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "challenges" (
    "id" TEXT NOT NULL,
    "purpose" TEXT NOT NULL,
    "binding" TEXT NOT NULL,
    "link_digest" TEXT,
    "data" JSONB NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "spent_at" TIMESTAMPTZ(3),

    CONSTRAINT "challenges_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "letters_created_at_idx" ON "letters"("created_at") WHERE (queued_at is null);

-- CreateIndex
CREATE UNIQUE INDEX "challenges_link_digest_key" ON "challenges"("link_digest");

-- CreateIndex
CREATE UNIQUE INDEX "challenges_purpose_binding_key" ON "challenges"("purpose", "binding");

-- CreateIndex
CREATE INDEX "users_created_at_idx" ON "users"("created_at") WHERE (email_verified_at is null);
