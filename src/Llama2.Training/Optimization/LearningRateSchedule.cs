namespace Llama2.Training;

/// <summary>How the learning rate moves after the warm-up.</summary>
public enum LearningRateSchedule
{
    /// <summary>Falls in a straight line to 0 at the last step.</summary>
    Linear,

    /// <summary>Falls along half a cosine to 0 at the last step.</summary>
    Cosine,

    /// <summary>Stays.</summary>
    Constant,
}

/// <summary>The rates themselves.</summary>
internal static class LearningRateScheduleExtensions
{
    /// <summary>The share of the full learning rate at a step, from 0 to 1, as transformers computes it: the first step of a warm-up has 0.</summary>
    /// <param name="schedule">The schedule.</param>
    /// <param name="step">The step, from 0.</param>
    /// <param name="warmupSteps">The steps in which the rate rises in a straight line.</param>
    /// <param name="totalSteps">All steps, those of the warm-up included.</param>
    public static double Factor(this LearningRateSchedule schedule, long step, int warmupSteps, long totalSteps)
    {
        if (step < warmupSteps)
        {
            return (double)step / warmupSteps;
        }

        double progress = Math.Min(1, (step - warmupSteps) / (double)Math.Max(1, totalSteps - warmupSteps));
        return schedule switch
        {
            LearningRateSchedule.Linear => 1 - progress,
            LearningRateSchedule.Cosine => 0.5 * (1 + Math.Cos(Math.PI * progress)),
            _ => 1,
        };
    }
}
